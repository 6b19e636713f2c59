"""Print the requirement matrix and write it to the docs; with --check, only tell whether it is current."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))

from tests.support.matrix import main

sys.exit(main(sys.argv[1:]))
