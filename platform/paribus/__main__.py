"""`python -m paribus`: the command line where its script is not in PATH."""

import sys

from paribus.cli import main

sys.exit(main())
