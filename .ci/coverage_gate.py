"""Branch coverage of the pure parts, each module by its own test file: `coverage_gate.py [module.py ...]`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))

from tests.support.coverage_gate import main

sys.exit(main(sys.argv[1:]))
