# SPDX-License-Identifier: GPL-2.0-or-later
"""How processes end by interrupts and requests to stop, and how they give memory back."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from verifier.base.exits import Exit

__all__ = ["as_worker", "collect_little", "dying_quietly", "give_back", "stop_asked",
           "stop_on_request", "undisturbed"]

_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_heard: list[int] = []


def stop_on_request() -> None:
    """Let SIGTERM and SIGHUP stop a command as an interrupt does.

    Workers are ended, and what was decided is told. A signal that our parent made us ignore (nohup,
    a job in the background) stays ignored.
    """
    _heard.clear()
    for number in _REQUESTS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _heard.append(number)
    raise KeyboardInterrupt


def stop_asked() -> bool:
    """Has somebody asked us to stop?

    Python loses an exception that is raised while it frees objects, so the request is kept here
    too.
    """
    return bool(_heard)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Requests to stop wait until the block ends: it must not be done by half."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _REQUESTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def as_worker() -> None:
    """Make this process a worker: its parent hears the interrupts.

    SIGINT is blocked and not only ignored, since a SAT solver would hear it. Objects of the parent
    are left out of garbage collection.
    """
    for number in _REQUESTS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, (signal.SIGINT,))
    collect_little()


def collect_little() -> None:
    """Let Python's garbage collector look seldom, and at nothing that is there already.

    Most of what a worker makes has no circles.
    """
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


@contextmanager
def dying_quietly() -> Iterator[None]:
    """End a worker at an error that nobody has caught; its parent tells of it.

    PTEPROOF_TRACEBACK=1 shows the error here.
    """
    try:
        yield
    except Exception:
        if os.environ.get("PTEPROOF_TRACEBACK"):
            raise
        os._exit(Exit.CRASH)


def give_back() -> None:
    """Return freed memory to the system, which glibc keeps otherwise; no-op elsewhere."""
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
