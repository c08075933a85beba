# SPDX-License-Identifier: GPL-2.0-or-later
"""python -m verifier: the command line without an installation."""

from verifier.cli import main

if __name__ == "__main__":
    main()
