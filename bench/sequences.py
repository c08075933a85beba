# SPDX-License-Identifier: GPL-2.0-or-later
"""Write specs/sequences.yaml anew, from the traces that runs have kept in the cache.

    pteproof prove && python bench/sequences.py > /tmp/sequences.yaml && mv /tmp/sequences.yaml specs/

Of each failure those sequences that most variants have, the shorter ones first: enough, since they are hints. Whatever else a
variant has is searched for.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict

from verifier.cache import Cache, cache_folder
from verifier.errors import PteproofError
from verifier.follow import labels
from verifier.plan import Filters, load_library
from verifier.sequences import LEADS_TO, Labels

MOST = 3  # sequences to one failure
ENDINGS = 8  # of one code
HEAD = """\
# SPDX-License-Identifier: GPL-2.0-or-later
# Steps that lead from a fresh mapping to a failure on some variant, and, under leads-to, from a failure to a store that leaks or
# content that is lost. They are tried first and recomputed, and decide nothing. Written by bench/sequences.py.
"""


def main() -> int:
    library = load_library()
    found: dict[str, dict[str, dict[str, Counter[Labels]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(Counter)))
    groups, _ = library.groups(Filters())
    for group in groups:
        cache = Cache(group, {}, cache_folder())
        for name in cache.data["traces"]:
            try:
                steps = labels(library.group_model(group), cache.hint(name))
            except (KeyError, PteproofError):
                continue  # kept by a run of other specs
            if steps:
                target = LEADS_TO if name.startswith(LEADS_TO) else name
                found[group.encoding][group.code][target][steps] += 1
    print(HEAD, end="")
    for encoding, codes in sorted(found.items()):
        print(f"{encoding}:")
        for code, targets in sorted(codes.items()):
            print(f"  {code}:")
            for target, sequences in sorted(targets.items()):
                print(f"    {target}:")
                most = sorted(sequences, key=lambda s: (-sequences[s], len(s), s))[:ENDINGS if target == LEADS_TO else MOST]
                for steps in sorted(most, key=lambda s: (len(s), -sequences[s], s)):
                    print(f"      - {' '.join(steps)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
