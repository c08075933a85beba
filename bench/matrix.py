# SPDX-License-Identifier: GPL-2.0-or-later
"""What proving costs: the same obligations by the bit graph, by z3 with one solver, and by a fresh z3 solver each.

Run it as `python bench/matrix.py [VARIANT...]` (default x86_64 and arm64-4k). One process, no cache, no traces; all
ways have to give the same verdicts. Absolute times mean little: read the ratios. Then it times the
command's start-up, and a run from the cache against a cold one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

from verifier.bits import Bits
from verifier.obligations import Group
from verifier.plan import Library, load_library
from verifier.prove import GroupProver
from verifier.prove_terms import TermProver
from verifier.results import verdict_name
from verifier.solve import BitsSolver

PAIRS = (("page-flag", "today"), ("option-c", "today"), ("option-c", "option-c"))


def verdicts(library: Library, variant: str, way: str) -> tuple[float, dict[str, str]]:
    """Seconds, and the verdict on each obligation of the variant's groups, decided one way."""
    found: dict[str, str] = {}
    start = time.perf_counter()
    for encoding, code in PAIRS:
        group = Group(variant, "pte", encoding, code)
        model = library.model(variant, encoding)
        graph = Bits()
        if way == "bits":
            prover = GroupProver(model, group, graph, BitsSolver(graph))
        else:
            prover = TermProver(model, group, graph, BitsSolver(graph), incremental=way == "z3 push/pop")
        for question in prover.builder.questions():
            found[question.id] = verdict_name(prover.decide(question))
    return time.perf_counter() - start, found


def command(*words: str, cache: str) -> float:
    """Seconds of one run of the command."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "verifier.cli", *words], stdout=subprocess.DEVNULL, check=False,
                   env={**os.environ, "XDG_CACHE_HOME": cache})
    return time.perf_counter() - start


def main(variants: list[str]) -> int:
    library = load_library()
    library.check([Group(v, "pte", e, c) for v in variants for e, c in PAIRS])
    times = dict.fromkeys(("bits", "z3 push/pop", "z3 fresh"), 0.0)
    count = 0
    for variant in variants:
        seen: dict[str, dict[str, str]] = {}
        for way in times:
            seconds, seen[way] = verdicts(library, variant, way)
            times[way] += seconds
        count += len(seen["bits"])
        if any(found != seen["bits"] for found in seen.values()):
            print("the ways disagree")
            return 1
    print(f"{count} obligations, {', '.join(variants)}; the same verdicts by all ways")
    for way, seconds in times.items():
        each, ratio = seconds / count * 1000, seconds / times["bits"]
        print(f"  {way:12} {seconds:8.2f} s  {each:7.2f} ms each  ratio {ratio:6.2f}")
    with tempfile.TemporaryDirectory() as cache:
        print("the command, seconds")
        for words in (["--version"], ["list", "variants"], ["decode", "x86_64", "8000000012345025"]):
            print(f"  pteproof {' '.join(words):34} {min(command(*words, cache=cache) for _ in range(3)):.2f}")
        run = ["prove", "--arch", variants[0], "--code", "option-c", "-q", "--jobs", "1"]
        cold, warm = command(*run, cache=cache), command(*run, cache=cache)
        print(f"  {'cold':43} {cold:.2f}\n  {'from the cache':43} {warm:.2f}  ratio {warm / cold:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["x86_64", "arm64-4k"]))
