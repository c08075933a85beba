# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the time of a run goes: processor seconds of each part, in one process, nothing kept.

    python bench/parts.py [THEOREM...]

A theorem is variant[/level[/encoding[/code]]], as `prove` takes it. A second belongs to the
innermost part that is under way. Results go through pickle and to the scheduler as they do in a
run, but without a second process.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import pickle
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from verifier.base.processes import collect_little
from verifier.prove.bits_way import GroupProver
from verifier.prove.builder import Builder
from verifier.run import ending, hinting, reaching, scheduler, task_processes, worker
from verifier.run.filters import Filters
from verifier.run.library import Library, load_library
from verifier.run.plan import groups_of
from verifier.search import endings, path
from verifier.search.consequence import Consequences
from verifier.search.near import Near
from verifier.search.trace import Search

SAMPLE = [f"{variant}/pte/{theorem}" for variant in (
    "x86_64", "arm64-4k+dbm", "riscv64", "s390", "powerpc64-radix", "arc+smp", "csky-v2",
    "loongarch",
) for theorem in ("page-flag/today", "option-c/today", "option-c/thread", "option-c/option-c")]

PARTS: dict[str, list[tuple[Any, str]]] = {
    "building": [(Builder, "questions"), (Builder, "aims"), (Builder, "__init__")],
    "proofs": [(GroupProver, "exclude"), (GroupProver, "decide")],
    "inhabitants": [(GroupProver, "_inhabitant"), (GroupProver, "inhabitant_of")],
    "effects": [(GroupProver, "decide_aim")],
    "ways of failures": [(GroupProver, "broken")],
    "values of failures": [(GroupProver, "counterexample"), (reaching, "counterexample")],
    "known steps: what is tried": [(hinting, "all_hinted"), (reaching, "all_hinted")],
    "known steps: hints retraced": [(Search, "retrace")],
    "known steps: formulas": [(Search, "along")],
    "least values of traces": [(path, "minimise"), (path, "granted")],
    "recomputing traces": [(Search, "confirmed")],
    "search": [(reaching, "_search")],
    "consequences: what is tried": [(reaching, "with_consequence")],
    "consequences: search": [(Near, "candidates"), (Near, "__init__")],
    "consequences: along steps": [(endings, "_values")],
    "consequences: sound ends": [(Consequences, "_alone")],
    "consequences: unproved steps": [(ending, "_unproved")],
}


class Clock:
    """Processor time by part: a second belongs to the innermost part."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self._parts = ["the rest"]
        self._since = time.process_time()

    def _tick(self) -> None:
        now = time.process_time()
        self.seconds[self._parts[-1]] += now - self._since
        self._since = now

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What is done within belongs to this part."""
        self._tick()
        self._parts.append(name)
        try:
            yield
        finally:
            self._tick()
            self._parts.pop()

    def watch(self, name: str, owner: Any, called: str) -> None:
        """Every call of a function, and every step of what it generates, belongs to the part."""
        inner: Callable[..., Any] = getattr(owner, called)

        @functools.wraps(inner)
        def timed(*args: Any, **options: Any) -> Any:
            self.calls[name] += 1
            with self.part(name):
                found = inner(*args, **options)
            return self._stepwise(name, found) if inspect.isgenerator(found) else found

        setattr(owner, called, timed)

    def _stepwise(self, name: str, found: Iterator[Any]) -> Iterator[Any]:
        while True:
            with self.part(name):
                try:
                    one = next(found)
                except StopIteration:
                    return
            yield one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("theorem", nargs="*", default=SAMPLE,
                        help="default: eight variants' ptes, four theorems each")
    parser.add_argument("--no-traces", action="store_true",
                        help="without the least values of traces and what they lead to")
    options = parser.parse_args()
    clock = Clock()
    for name, functions in PARTS.items():
        for owner, called in functions:
            clock.watch(name, owner, called)
    with clock.part("loading and typing"):
        library = load_library()
        filters = Filters(theorems=tuple(options.theorem))
        groups, _ = groups_of(library, filters)
        library.check(groups)
        collect_little()  # as a process of a run does
    results = run(clock, library, filters, groups, not options.no_traces)
    table(clock, results)


def run(clock: Clock, library: Library, filters: Filters, groups: list[Any], thorough: bool) -> int:
    """All tasks, one after the other; how many results there were."""
    heard = task_processes.TaskProcesses(library, scheduler.Options(), lambda news: None)
    todo = deque(scheduler._tasks(library, groups, filters, scheduler.Options(thorough=thorough)))
    while (task := heard._next(todo)) is not None:
        process = task_processes.TaskProcess(task, None, None)  # type: ignore[arg-type]

        def send(message: object, process: Any = process) -> None:
            with clock.part("messages"):
                data = pickle.dumps(message)
            with clock.part("parent"):
                heard._heard(process, pickle.loads(data))

        pipe: Any = type("Pipe", (), {"send": staticmethod(send)})
        worker.work(library, task, task_processes.sender(pipe))
    return len(heard.results)


def table(clock: Clock, results: int) -> None:
    """The parts, the dearest first."""
    clock._tick()
    whole = sum(clock.seconds.values())
    print(f"{'part':<32}{'s':>9}{'%':>6}{'calls':>9}")
    for name, seconds in sorted(clock.seconds.items(), key=lambda part: -part[1]):
        print(f"{name:<32}{seconds:>9.1f}{100 * seconds / whole:>6.1f}{clock.calls[name] or '':>9}")
    print(f"{'all':<32}{whole:>9.1f}\n{results} obligations, "
          f"{1000 * whole / max(results, 1):.2f} ms each")


if __name__ == "__main__":
    main()
