# SPDX-License-Identifier: GPL-2.0-or-later
"""What proving costs: the same obligations by the bit graph, and by its peers.

Run it as `python bench/matrix.py [VARIANT...]` (default x86_64 and arm64-4k); `--linear` repeats
the variants up to 100,000 obligations instead, `--whole` times the command. One process, no cache,
no traces; all ways have to give the same verdicts. Times are of the processor, also of other
programs that it runs; absolute ones mean little: read the ratios. bench/README.md says what each
way is.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from verifier.engine.bits import Bits
from verifier.engine.bits_solver import BitsSolver
from verifier.evidence.export import script, steps
from verifier.prove.bits_way import GroupProver
from verifier.prove.obligations import Group
from verifier.prove.prover import Prover
from verifier.prove.results import verdict_name
from verifier.prove.terms_way import TermProver
from verifier.run.filters import Filters
from verifier.run.library import Library, load_library

PAIRS = (("page-flag", "today"), ("option-c", "today"), ("option-c", "option-c"))
BASE = "z3py, one solver"


def provers() -> dict[str, Callable[[Library, Group], Prover]]:
    """The ways that run in this process."""
    def terms(name: str, incremental: bool = True) -> Callable[[Library, Group], Prover]:
        def make(library: Library, group: Group) -> Prover:
            graph = Bits()
            return TermProver(library.group_model(group), group, graph, BitsSolver(graph), name,
                              incremental)
        return make

    def bits(library: Library, group: Group) -> Prover:
        graph = Bits()
        return GroupProver(library.group_model(group), group, graph, BitsSolver(graph))

    return {"bit graph and SAT": bits, BASE: terms("z3"),
            "z3py, a fresh solver each": terms("z3", False),
            "bitwuzla, one solver": terms("bitwuzla"), "cvc5, one solver": terms("cvc5")}


def decided(prover: Prover) -> dict[str, str]:
    return {q.id: verdict_name(prover.decide(q)) for q in prover.builder.questions()}


def by_command(library: Library, group: Group) -> dict[str, str]:
    """The z3 command on one SMT-LIB file for each step, as `--dump-smt` writes it.

    It is not asked for inhabitants.
    """
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for step in steps(library, group, Filters()):
            path = Path(folder, "step.smt2")
            path.write_text(script(library, group, step, Filters()))
            ids = [line[2:] for line in path.read_text().split("\n")
                   if line.startswith(f"; {group.variant}/pte/")]
            said = subprocess.run(["z3", str(path)], capture_output=True, text=True,
                                  check=True).stdout.split()
            found |= dict(
                zip(ids, ["proved" if s == "unsat" else "refuted" for s in said], strict=True)
            )
    return found


def certified(library: Library, groups: list[Group]) -> tuple[float, float, int, float]:
    """Processor seconds to prove and certify, those to check, obligations, megabytes of files."""
    from verifier.evidence.certify.check import find_checker
    from verifier.evidence.certify.make import make
    from verifier.evidence.certify.verify import verify
    from verifier.prove.bits_way import obligation_of
    from verifier.prove.results import Result, Run

    start = processor()
    results = []
    for group in groups:
        prover = provers()["bit graph and SAT"](library, group)
        model = library.group_model(group)
        results += [Result(obligation_of(model, group, q.transition, q.property), prover.decide(q),
                           0.0, "bits")
                    for q in prover.builder.questions()]
    with tempfile.TemporaryDirectory() as folder:
        names = (tuple({getattr(g, part): None for g in groups})
                 for part in ("variant", "level", "encoding", "code"))
        wrong = make(library, Run(tuple(results), (), {}, {}, {}, (), ()), Filters(*names),
                     Path(folder, "c"), 1)
        made = processor()
        report = verify(Path(folder, "c"), find_checker(), library)
        assert (not wrong.contradictions and not wrong.lost and not report.wrong
                and not report.unchecked)
        size = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()) / 1e6
    return made - start, processor() - made, report.obligations, size


def command(*words: str, cache: str) -> tuple[float, float, float]:
    """One run of the command: seconds elapsed, processor seconds, and the most MByte that its
    processes took together.
    """
    start, used, most = time.perf_counter(), processor(), 0.0
    process = subprocess.Popen([sys.executable, "-m", "verifier", *words],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**os.environ, "XDG_CACHE_HOME": cache})
    while process.poll() is None:
        most = max(most, memory(process.pid))
        time.sleep(0.1 if time.perf_counter() - start < 5 else 1)
    return time.perf_counter() - start, processor() - used, most


def memory(pid: int) -> float:
    """MByte of a process and its children.

    A page that several have is counted once, in parts (Linux's Pss).
    """
    total = 0.0
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (str(pid), *children):
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().split("\n")
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    except OSError:
        pass  # it has just ended, or this is not Linux
    return total


def processor() -> float:
    """Seconds of processor time so far, of this process and of those that it has waited for."""
    return sum(os.times()[:4])


def table(rows: dict[str, float], count: int) -> None:
    for way, seconds in rows.items():
        each = seconds / count * 1000
        print(f"  {way:28} {seconds:8.2f} s  {each:7.2f} ms each  {seconds / rows[BASE]:6.3f} of "
              f"{BASE}", flush=True)


def compare(library: Library, variants: list[str]) -> int:
    groups = [Group(v, "pte", e, c) for v in variants for e, c in PAIRS]
    library.check(groups)
    rows: dict[str, float] = {}
    seen: dict[str, dict[str, str]] = {}
    for way, make in provers().items():
        start = processor()
        seen[way] = {i: v for group in groups for i, v in decided(make(library, group)).items()}
        rows[way] = processor() - start
    if shutil.which("z3"):
        start = processor()
        seen["z3 command, a file a step"] = {i: v for group in groups
                                             for i, v in by_command(library, group).items()}
        rows["z3 command, a file a step"] = processor() - start
    if any(found != seen[BASE] for found in seen.values()):
        print("the ways disagree")
        return 1
    count = len(seen[BASE])
    print(f"{count} obligations, {', '.join(variants)}; the same verdicts by all ways")
    table(rows, count)
    made, checked, proofs, size = certified(library, groups)
    print(f"  certificates of {proofs} proofs: {made:.2f} s with proving, {checked:.2f} s checked "
          f"again from {size:.0f} MB "
          f"of files: {(made + checked) / rows[BASE]:.3f} of {BASE}")
    return 0


def whole() -> None:
    """The command on small things and on the whole matrix, cold and warm, without traces and with.
    """
    prove = ("prove", "-q", "--jobs", "1")
    one = (*prove, "--arch", "x86_64")
    asked = {"list variants": ("list", "variants"),
             "decode": ("decode", "x86_64", "8000000012345025"),
             "x86_64, ptes, cold": (*one, "--level", "pte"),
             "x86_64, ptes, warm": (*one, "--level", "pte"),
             "x86_64, cold": one, "x86_64, warm": one,
             "whole matrix, traces of one step, cold": (*prove, "--depth", "1"),
             "whole matrix, traces of one step, warm": (*prove, "--depth", "1"),
             "whole matrix, cold": prove}
    print(f"  {'the command':40} {'elapsed':>9} {'processor':>10} {'memory':>9}")
    with tempfile.TemporaryDirectory() as caches:
        cache = caches
        for what, words in asked.items():
            cache = tempfile.mkdtemp(dir=caches) if what.endswith("cold") else cache
            elapsed, used, most = command(*words, cache=cache)
            print(f"  {what:40} {elapsed:7.2f} s {used:8.2f} s {most:6.0f} MB", flush=True)


def linear(library: Library, variants: list[str]) -> None:
    """Time over obligations, by repeating the groups: each repetition builds and decides anew."""
    groups = [Group(v, "pte", e, c) for v in variants for e, c in PAIRS]
    library.check(groups)
    for wanted in (1_000, 10_000, 100_000):
        count, at, start = 0, 0, processor()
        while count < wanted:
            prover = provers()["bit graph and SAT"](library, groups[at % len(groups)])
            for question in prover.builder.questions():
                prover.decide(question)
                count += 1
                if count == wanted:
                    break
            at += 1
        seconds = processor() - start
        print(f"  {count:7} obligations  {seconds:8.2f} s  {seconds / count * 1000:6.3f} ms each  "
              f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def main(words: list[str]) -> int:
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variants = [w for w in words if not w.startswith("--")] or ["x86_64", "arm64-4k"]
    library = load_library()
    if "--linear" in words:
        linear(library, variants)
        return 0
    if "--whole" in words:
        whole()
        return 0
    return compare(library, variants)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
