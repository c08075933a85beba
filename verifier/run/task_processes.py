# SPDX-License-Identifier: GPL-2.0-or-later
"""Tasks in processes that can be killed, and time limits that hold."""

from __future__ import annotations

import multiprocessing as mp
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeAlias

from verifier.base.errors import UsageError
from verifier.base.processes import as_worker, dying_quietly, stop_asked, undisturbed
from verifier.prove.obligations import Group
from verifier.prove.results import (
    Proved,
    Result,
    Unknown,
    counted_as,
)
from verifier.run.extents import Extent
from verifier.run.library import Library
from verifier.run.messages import At, Contradicts, Done, Failed, Finished, Task, Unreached
from verifier.run.news import Closed, Watch
from verifier.run.shared import Results, Shared
from verifier.run.worker import work
from verifier.search.hints import Hints
from verifier.search.trace import SLOW

__all__ = ["STOPPED", "Options", "TaskProcess", "TaskProcesses", "sender"]

STOPPED = "stopped by an interrupt or a request to end"

GRACE = 5.0  # seconds beyond its limit that a process may take before it is killed


@dataclass(frozen=True, slots=True)
class Options:
    """How to run. Times are in seconds."""

    jobs: int = 1
    timeout: float = 60.0
    depth: int = 8
    search_seconds: float = 30.0
    cache: Path | None = None
    solver: str = "bits"
    cross: Path | None = None  # decide by two ways; where to leave what they disagree on
    thorough: bool = True  # with the least values of each trace, and what failures lead to


_Pipe: TypeAlias = "Connection[object, object]"  # of messages: verifier.run.messages


@dataclass(slots=True)
class TaskProcess:
    """A task under way."""

    task: Task
    process: BaseProcess
    pipe: _Pipe
    at: At = At("starting")
    since: float = field(default_factory=time.monotonic)
    last: Result | None = None
    # of the present group, by obligation
    unreached: dict[str, Result] = field(default_factory=dict)


def _serve(library: Library, task: Task, pipe: _Pipe) -> None:
    """The body of a process."""
    as_worker()
    with dying_quietly():
        work(library, task, sender(pipe))
    pipe.close()


def sender(pipe: _Pipe) -> Callable[[object], None]:
    """A function that sends messages; an inhabitant that is repeated goes through the pipe once."""
    last: Proved | None = None

    def send(message: object) -> None:
        nonlocal last
        if isinstance(message, Done):
            verdict = message.result.verdict
            if (isinstance(verdict, Proved) and last is not None
                    and verdict.inhabitant is last.inhabitant is not None):
                message = Done(replace(message.result, verdict=Proved(None)), again=True)
            else:
                last = verdict if isinstance(verdict, Proved) else None
        pipe.send(message)

    return send


class TaskProcesses:
    """The processes of a run: tasks start in them, what they tell is gathered, and those that take
    too long are killed.
    """

    def __init__(self, library: Library, options: Options, progress: Watch) -> None:
        self.library, self.options, self.progress = library, options, progress
        self.context = mp.get_context("fork")
        self.running: dict[_Pipe, TaskProcess] = {}
        self.results = Results()
        self.shared = Shared()
        self.contradictions: list[str] = []
        self.unfinished: list[tuple[Group, str]] = []
        self.finished: set[Group] = set()
        self.counts: dict[Group, Counter[str]] = {}
        self.helpers: list[str] = []
        self.hints: dict[Group, Hints] = {}  # of groups that others wait for
        self.extents: dict[Group, Extent] = {}
        # how many tasks there were when none could start: to do, under way, and groups done with
        self.waiting = (0, 0, 0)

    def run(self, tasks: list[Task]) -> None:
        """Start the tasks, and hear of all until none is left.

        KeyboardInterrupt where the user stops the run, UsageError where a process cannot go on for
        a reason that the user can mend.
        """
        todo = deque(tasks)
        while todo or self.running:
            # also where Python lost the exception, such as in a callback of its garbage collector
            if stop_asked():
                raise KeyboardInterrupt
            while (len(self.running) < max(1, self.options.jobs)
                    and (task := self._next(todo)) is not None):
                self._start(task)
            for pipe in wait(list(self.running), timeout=0.2):
                assert isinstance(pipe, Connection)
                again = self._receive(pipe)
                if again is not None:
                    todo.append(again)
            todo.extend(self._late())

    def know(self, extent: Extent) -> None:
        """What a theorem asks for is known."""
        self.extents[extent.group] = extent

    def _next(self, todo: deque[Task]) -> Task | None:
        """The first task that waits for none, with the traces that it is handed; None without one.

        It would wait for a task that is under way or still to be done.
        """
        at = len(todo), len(self.running), len(self.finished)
        if not todo or at == self.waiting:
            return None
        tasks = [*todo, *(running.task for running in self.running.values())]
        busy = {group for task in tasks if task.leads for group in task.groups} - self.finished
        number = next((n for n, task in enumerate(todo) if busy.isdisjoint(task.after)),
                      None if self.running else 0)
        if number is None:
            self.waiting = at
            return None
        ready, hints = todo[number], Hints()
        del todo[number]
        for group in ready.after:
            if group in self.hints:
                hints.add(self.hints[group])
        return replace(ready, hints=hints)

    def _start(self, task: Task) -> None:
        mine, theirs = self.context.Pipe(duplex=False)
        process = self.context.Process(target=_serve, args=(self.library, task, theirs),
                                       daemon=True)
        with undisturbed():  # a process that nobody knows of would be left behind
            process.start()
            self.running[mine] = TaskProcess(task, process, mine)
        theirs.close()

    def _receive(self, pipe: _Pipe) -> Task | None:
        """Take one message; a task to start again where the process died."""
        running = self.running[pipe]
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            running.process.join()
            del self.running[pipe]
            ended = running.process.exitcode
            if not ended:
                return None
            # from outside, for its memory as a rule
            killed, what = ended == -9, f"the process died with {ended}"
            if not killed:
                self.contradictions += [f"{name}: {what}"
                                        for name in [o.id for o in running.at.obligations]
                                        or [running.at.what]]
            return self._gave_up(running, "memory" if killed else "contradiction", what)
        self._heard(running, message)
        return None

    def _heard(self, running: TaskProcess, message: object) -> None:
        """What a process says."""
        running.since = time.monotonic()
        if isinstance(message, At):
            running.at = message
            self.progress(message.what)
        elif isinstance(message, Done):
            before = running.last.verdict if running.last is not None and message.again else None
            running.last = self.shared.result(message.result, before)
            running.unreached.pop(running.last.obligation.id, None)
            self._tell(running.last)
        elif isinstance(message, Contradicts):
            self.contradictions.append(message.what)
        elif isinstance(message, Unreached):
            running.unreached |= {r.obligation.id: self.shared.result(r) for r in message.results}
        elif isinstance(message, Finished):
            self.finished.add(message.group)
            if message.hints is not None:
                self.hints[message.group] = message.hints
            self.progress(Closed(message.group, dict(self.counts.get(message.group, {}))))
            self.helpers += message.helpers
        elif isinstance(message, Failed):
            raise UsageError(message.message)

    def _late(self) -> list[Task]:
        """Kill what has taken too long on one thing; the tasks to go on with."""
        again = []
        now = time.monotonic()
        for pipe, running in list(self.running.items()):
            limit = self.limit(running.at)
            if now - running.since > limit:
                running.process.kill()
                running.process.join()
                del self.running[pipe]
                task = self._gave_up(running, "timeout", f"killed after {limit:g} s")
                if task is not None:
                    again.append(task)
        return again

    def limit(self, at: At) -> float:
        """The seconds that a process may spend on what it is at.

        An obligation has its own limit, building one has more, and a search has its limit on top.
        """
        more = {"deciding": 0.0, "building": GRACE, "searching": SLOW * self.options.search_seconds
                + GRACE}
        return self.options.timeout + more[at.stage]

    def _gave_up(self, running: TaskProcess, reason: str, detail: str) -> Task | None:
        """Record what the process was at as unknown, and go on without it."""
        obligations, group = running.at.obligations, running.at.group
        if not obligations:
            if group and running.unreached:
                self._cut(running, reason, f"{running.at.what}: {detail}")
                self.finished.add(group)
            else:
                self.unfinished.append(
                    (group or running.task.groups[0], f"{running.at.what}: {detail}")
                )
            left = [g for g in running.task.groups if g != group] if group else []
            undone = [g for g in left if g not in self.finished]
            return replace(running.task, groups=tuple(undone)) if undone else None
        seconds = (time.monotonic() - running.since) / len(obligations)
        for one in obligations:
            self._tell(Result(one, Unknown(reason, f"{running.at.what}: {detail}"), seconds,
                              self.options.solver))
        mine = set(running.task.groups)
        return replace(running.task, skip=frozenset(r.obligation.id for r in self.results
                                                    if r.obligation.group in mine))

    def _cut(self, running: TaskProcess, reason: str, detail: str) -> None:
        """Tell what a search reached before it was cut as refuted, and the rest as unknown."""
        for result in running.unreached.values():
            if isinstance(result.verdict, Unknown):
                result = replace(
                    result, verdict=replace(result.verdict, reason=reason, detail=detail)
                )
            self._tell(result)

    def _tell(self, result: Result) -> None:
        self.results.append(result)
        self.counts.setdefault(result.obligation.group, Counter())[counted_as(result)] += 1
        self.progress(result)

    def stop(self) -> None:
        """End all processes; what they have said is heard.

        A failure whose trace was searched for is told as it is.
        """
        running = list(self.running.values())
        self.end()
        for one in running:
            with suppress(EOFError, OSError):
                while one.pipe.poll():
                    self._heard(one, one.pipe.recv())
            self._cut(one, "stopped", f"{one.at.what}: {STOPPED}")

    def end(self) -> None:
        """Leave no process behind."""
        for running in self.running.values():
            running.process.kill()
        for running in self.running.values():
            running.process.join()
        self.running.clear()
