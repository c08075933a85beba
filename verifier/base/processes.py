# SPDX-License-Identifier: GPL-2.0-or-later
"""How processes end: the first one by an interrupt or a request to stop, its workers when it ends them. What they give back."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from verifier.base.exits import Exit

__all__ = ["as_worker", "dying_quietly", "give_back", "stop_asked", "stop_on_request", "undisturbed"]

_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_heard: list[int] = []


def stop_on_request() -> None:
    """SIGTERM and SIGHUP stop a command as an interrupt does: workers are ended, and what was decided is told.

    What whoever started us has ignored (nohup, a job in the background) stays ignored.
    """
    _heard.clear()
    for number in _REQUESTS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _heard.append(number)
    raise KeyboardInterrupt


def stop_asked() -> bool:
    """Has somebody asked us to stop? Python loses an exception that comes up while it frees objects."""
    return bool(_heard)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Requests to stop are heard when this is over: for what must not be done by half."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _REQUESTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def as_worker() -> None:
    """For a new worker process: interrupts are its parent's to hear. What it has of its parent is no garbage.

    Interrupts are blocked and not only ignored: a SAT solver would hear them.
    """
    for number in _REQUESTS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, (signal.SIGINT,))
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


@contextmanager
def dying_quietly() -> Iterator[None]:
    """For a worker: an error that nobody has taken ends it, and its parent tells of that; PTEPROOF_TRACEBACK=1 shows it."""
    try:
        yield
    except Exception:
        if os.environ.get("PTEPROOF_TRACEBACK"):
            raise
        os._exit(Exit.CRASH)


def give_back() -> None:
    """Give freed memory back to the system, which glibc keeps otherwise; elsewhere nothing."""
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
