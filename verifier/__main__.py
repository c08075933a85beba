# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the program begins: `python -m verifier`, and the installed command.

A fault while it is loaded is no verdict.
"""

import os
import sys

__all__ = ["start"]


def start() -> None:
    """The command line; an interrupt or a fault while it is loaded has its usual exit code.

    The numbers are those of verifier.base.exits, which may be what cannot be loaded.
    """
    try:
        from verifier.base.processes import stop_on_request

        stop_on_request()
        from verifier.cli import main
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        try:
            sys.stderr.write(
                f"pteproof: internal error: {type(error).__name__}: {error}; this is no verdict\n"
            )
        finally:
            sys.exit(70)
    try:
        main()
    except MemoryError:  # even to tell an error takes some
        os.write(2, b"pteproof: out of memory; this is no verdict\n")
        sys.exit(70)


if __name__ == "__main__":
    start()
