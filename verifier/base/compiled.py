# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules that are there in C too: made of the C where there is a compiler, and found where they
are to be used.

An install makes them (hatch_build.py), and goes on without where it cannot. The name of one has a
digest of its C: one of other source is not found, and so not used.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

__all__ = ["SWITCH", "compiled", "make_compiled"]

SWITCH = "PTEPROOF_NATIVE"  # 0: nothing compiled is used
_MAKE_SECONDS = 120


def compiled(source: Path) -> Path | None:
    """The shared object that was made of this C file; None where there is none, or it is not to be
    used.
    """
    if os.environ.get(SWITCH) == "0" or not source.is_file():
        return None
    found = source.with_name(_name(source))
    return found if found.is_file() else None


def make_compiled(source: Path, folder: Path, options: tuple[str, ...] = ()) -> Path:
    """Compile a C file for Python's stable interface, into a folder; the shared object.

    Older ones of it there are removed.

    The compiler is CC of the environment, else the one that Python was built with. OSError where it
    does not run, or this Python has not got that interface; subprocess.SubprocessError where it
    fails or takes two minutes.
    """
    import shlex
    import subprocess
    import sys
    import sysconfig

    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise OSError("this Python has not got the stable interface of C")
    compiler = shlex.split(os.environ.get("CC") or str(sysconfig.get_config_var("CC") or "cc"))
    made = folder / _name(source)
    part = made.with_suffix(f".{os.getpid()}")
    flags = ("-std=c11", "-O2", "-fPIC", "-shared", f"-I{sysconfig.get_path('include')}", *options)
    try:
        subprocess.run([*compiler, *flags, str(source), "-o", str(part)], check=True,
                       capture_output=True, timeout=_MAKE_SECONDS)
        for old in folder.glob(f"{source.stem}-*.abi3.so"):
            old.unlink()
        part.replace(made)
    finally:
        part.unlink(missing_ok=True)
    return made


def _name(source: Path) -> str:
    """What the shared object of this C file is called, as the file is now."""
    return f"{source.stem}-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}.abi3.so"
