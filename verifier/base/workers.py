# SPDX-License-Identifier: GPL-2.0-or-later
"""Tasks in processes that may die: the task of a killed process is lost and named.

Everything else goes on.
"""

from __future__ import annotations

import multiprocessing as mp
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeAlias, TypeVar, cast

from verifier.base.processes import as_worker

__all__ = ["Lost", "each"]

T = TypeVar("T")
R = TypeVar("R")
# The parent's end: tasks go out; a result, or what went wrong, comes in, with which it is.
_Pipe: TypeAlias = "Connection[object, tuple[bool, object]]"


@dataclass(frozen=True, slots=True)
class Lost:
    """A task without a result: its process was killed, or it raised the error in `why`."""

    why: str
    killed: bool


@dataclass(slots=True)
class _Worker(Generic[T]):
    process: BaseProcess
    task: T


def each(
    work: Callable[[T], R], tasks: Iterable[T], jobs: int
) -> Generator[tuple[T, R | Lost], None, None]:
    """Every task with its result, in the order in which they end.

    `work` runs in `jobs` processes that are forked from this one. A process takes one task after
    the other, so that what it has cached serves the next. No process is left behind when the
    iterator ends or is closed. A task without a result gives Lost.
    """
    todo = deque(tasks)
    running: dict[_Pipe, _Worker[T]] = {}
    try:
        while todo or running:
            while todo and len(running) < max(1, jobs):
                _start(work, todo.popleft(), running)
            for pipe in wait(list(running)):
                assert isinstance(pipe, Connection)
                worker = running[pipe]
                task, found, alive = worker.task, *_receive(pipe, worker.process)
                if alive and todo:
                    worker.task = todo.popleft()
                    _send(pipe, worker.task)
                else:
                    del running[pipe]
                    pipe.close()
                yield task, cast("R | Lost", found)  # what `work` returned came through the pipe
    finally:
        for pipe, worker in running.items():
            worker.process.kill()
            worker.process.join()
            pipe.close()


def _start(work: Callable[[T], R], task: T, running: dict[_Pipe, _Worker[T]]) -> None:
    context = mp.get_context("fork")
    mine, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(work, theirs, [mine, *running]), daemon=True)
    process.start()
    theirs.close()
    running[mine] = _Worker(process, task)
    _send(mine, task)


def _send(pipe: _Pipe, task: object) -> None:
    try:
        pipe.send(task)
    except OSError:
        return  # the process has ended, as reading from it will show


def _receive(pipe: _Pipe, process: BaseProcess) -> tuple[object, bool]:
    """What a process has to say, and whether it is still there."""
    try:
        good, found = pipe.recv()
    except (EOFError, OSError):
        process.join()
        return Lost(f"its process ended with {process.exitcode}", killed=True), False
    return (found if good else Lost(str(found), killed=False)), True


def _serve(
    work: Callable[[T], R], pipe: Connection[tuple[bool, object], T], others: Sequence[_Pipe]
) -> None:
    """The body of a worker process.

    It ends with its parent, so it must not hold open the parent's ends of the pipes.
    """
    as_worker()
    for other in others:
        other.close()
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            return
        answer: tuple[bool, object]
        try:
            answer = True, work(task)
        except Exception as error:
            answer = False, f"{type(error).__name__}: {error}"
        pipe.send(answer)
