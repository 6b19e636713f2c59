"""`python -m host_tools.cli` is `shareboxctl`."""

import sys

from host_tools.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
