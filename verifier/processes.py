# SPDX-License-Identifier: GPL-2.0-or-later
"""How processes end: the first one by an interrupt or a request to stop, its workers when it ends them. What they give back."""

from __future__ import annotations

import gc
import signal
from types import FrameType

__all__ = ["as_worker", "give_back", "stop_on_request"]


def stop_on_request() -> None:
    """SIGTERM stops a command as an interrupt does: workers are ended, and what was decided is told."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def as_worker() -> None:
    """For a new worker process: interrupts are its parent's to hear. What it has of its parent is no garbage."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


def give_back() -> None:
    """Give freed memory back to the system, which glibc keeps otherwise; elsewhere nothing."""
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
