"""`python -m paribus`: the command line where its script is not in PATH."""

import sys

from paribus.commands.main import main

sys.exit(main())
