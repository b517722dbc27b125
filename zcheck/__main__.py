"""``python -m zcheck``."""

import sys

from zcheck.cli import main

if __name__ == "__main__":
    sys.exit(main())
