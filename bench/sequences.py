# SPDX-License-Identifier: GPL-2.0-or-later
"""Write specs/sequences.yaml anew, from the traces that runs have kept in the cache.

    pteproof prove && python bench/sequences.py > /tmp/sequences.yaml && mv /tmp/sequences.yaml specs/

Of each failure those sequences that most variants have, the shorter ones first: enough, since they are hints. Whatever else a
variant has is searched for.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict

from verifier.base.errors import PteproofError
from verifier.base.store import cache_folder
from verifier.run.cache import Cache
from verifier.run.filters import Filters
from verifier.run.grounds import Grounds
from verifier.run.library import load_library
from verifier.run.plan import groups_of
from verifier.search.follow import labels
from verifier.search.sequences import FRESH, LEADS_TO, THROUGH, Labels

MOST = 2  # sequences to one failure
ENDINGS = 8  # of one code
HEAD = """\
# SPDX-License-Identifier: GPL-2.0-or-later
# Steps that lead from a fresh mapping to a failure on some variant: the first steps, then the last one with the properties that
# it breaks (through/: an earlier step breaks another). Under leads-to: from a failure to a store that leaks or content that is
# lost. They are tried first, recomputed before anybody believes them, and decide nothing. Written by bench/sequences.py.
"""


def main() -> int:
    print(HEAD, end="")
    for encoding, codes in sorted(kept().items()):
        print(f"{encoding}:")
        for code, targets in sorted(codes.items()):
            print(f"  {code}:")
            endings = targets.pop(LEADS_TO, Counter())
            for first, last in sorted(by_first_steps(targets).items(), key=lambda row: (len(row[0]), row[0])):
                print(f"    {' '.join(first) or FRESH}:")
                for label, properties in sorted(last.items()):
                    print(f"      {label}: {' '.join(sorted(properties))}")
            if endings:
                print(f"    {LEADS_TO}:")
                for steps in sorted(most(endings, ENDINGS), key=lambda s: (len(s), -endings[s], s)):
                    print(f"      - {' '.join(steps)}")
    return 0


def kept() -> dict[str, dict[str, dict[str, Counter[Labels]]]]:
    """How many groups have which sequence: by encoding, code and failure."""
    library = load_library()
    found: dict[str, dict[str, dict[str, Counter[Labels]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(Counter)))
    groups, _ = groups_of(library, Filters())
    for group in groups:
        cache = Cache(group, Grounds({}, ""), cache_folder())
        for name in cache.data["traces"]:
            try:
                steps = labels(library.group_model(group), cache.hint(name))
            except (KeyError, PteproofError):
                continue  # kept by a run of other specs
            if steps:
                found[group.encoding][group.code][LEADS_TO if name.startswith(LEADS_TO) else name][steps] += 1
    return found


def by_first_steps(targets: dict[str, Counter[Labels]]) -> dict[Labels, dict[str, list[str]]]:
    """First steps -> last step -> the properties that it breaks."""
    found: dict[Labels, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for target, sequences in targets.items():
        mark = THROUGH if target.startswith(THROUGH) else ""
        for steps in most(sequences, MOST):
            found[steps[:-1]][steps[-1]].append(mark + target.rpartition("/")[2])
    return found


def most(sequences: Counter[Labels], number: int) -> list[Labels]:
    """Those that most groups have."""
    return sorted(sequences, key=lambda s: (-sequences[s], len(s), s))[:number]


if __name__ == "__main__":
    sys.exit(main())
