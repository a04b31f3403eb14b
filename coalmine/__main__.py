"""``python -m coalmine`` is ``coalmine``."""

import sys

from coalmine.cli import main

if __name__ == "__main__":
    sys.exit(main())
