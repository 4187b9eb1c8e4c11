"""``python -m clew_demo``: the same as ``clew demo``."""

import sys

from clew_demo.cli import main

sys.exit(main())
