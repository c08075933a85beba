# SPDX-License-Identifier: GPL-2.0-or-later
"""All mutants judged, in processes.

A judgement that was made before is not made again. Survivors come with their explanations.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from verifier.base.digests import PACKAGE, digest, digest_files, program
from verifier.base.errors import UsageError, match_all
from verifier.base.store import read_regular
from verifier.base.workers import Lost, each
from verifier.evidence.mutate.judge import AS_AN_EFFECT, UNPROVED, judge
from verifier.evidence.mutate.mutants import Judged, Mutant, mutants, patch_mutants
from verifier.evidence.mutate.planted import NARROWER, WORSE, judge_patch
from verifier.kernel.tree.shapes import load_shapes
from verifier.language.read_yaml import Table, read_yaml
from verifier.run.library import Library

__all__ = ["KINDS", "LOST", "Score", "run", "text"]

MOST = 64 << 20  # bytes of a file of judgements
KEYS = {"digest", "mutant", "verdict", "by"}
# A verdict: the process that judged the mutant died or failed. It is not kept.
LOST = "lost"
PATCH = "patch"
SPECIFIED = ("helper", "field", "code", "requires")
KINDS = (*SPECIFIED, PATCH)


@dataclass(frozen=True, slots=True)
class Score:
    """Every judgement, and the survivors that specs/survivors.yaml explains.

    `explained` maps globs of ids to reasons.
    """

    judged: tuple[Judged, ...]
    explained: dict[str, str]
    stale: tuple[str, ...]  # explanations that no survivor needs, where all mutants were judged

    def lost(self) -> list[Judged]:
        """Mutants whose process ended without a judgement."""
        return [j for j in self.judged if j.verdict == LOST]

    def words(self) -> list[str]:
        """A word for each mutant or explanation that is not as it should be, for the exit code."""
        return [
            *(LOST for _ in self.lost()),
            *("unexplained" for _ in self.unexplained()),
            *("stale" for _ in self.stale),
        ]

    def unexplained(self) -> list[Judged]:
        """Survivors without an explanation."""
        return [
            j for j in self.judged if j.verdict == "survived" and j.mutant.id not in self.explained
        ]


def _drawn(mutant: Mutant) -> bytes:
    """A mutant's place in the order of samples; other mutants do not change it."""
    return hashlib.sha256(mutant.id.encode()).digest()


def run(
    library: Library, variants: Sequence[str], kinds: Sequence[str], *, names: Sequence[str] = (),
    sample: int = 0, jobs: int = 1,
    state: Path | None = None, progress: Callable[[str], None] = lambda _: None,
    patched: Sequence[str] | None = None,
) -> Score:
    """Judge every mutant of these kinds whose helper or transition matches, or a fixed sample.

    `patched` are the variants that decide mistakes of patches; None: those of specs/first.yaml.
    `state` is a file that keeps judgements, so that a run that was stopped goes on from there.
    Raises UsageError where nothing matches.
    """
    seen: set[str] = set()

    def wanted(name: str) -> bool:
        seen.add(name)
        return not names or any(fnmatch.fnmatchcase(name, g) for g in names)

    decide = library.spec.first.patches.variants
    patched = decide if patched is None else patched
    found = (mutants(library, variants, kinds, wanted)
             + (patch_mutants(library, patched, wanted) if PATCH in kinds else []))
    match_all("mutant", names, sorted(seen))
    if not found:
        raise UsageError("no mutant matches")
    whole = len(found)
    if sample and sample < len(found):
        found = sorted(sorted(found, key=_drawn)[:sample], key=lambda m: m.id)
    compared = frozenset(shape.helper for shape in load_shapes())
    known = _State(state, library)
    judged = [known.judged[m.id] for m in found if m.id in known.judged]
    left = [m for m in found if m.id not in known.judged]
    for mutant, one in each(partial(_judge, library, compared), left, jobs):
        if isinstance(one, Lost):
            judged.append(Judged(mutant, LOST, one.why))
        else:
            judged.append(one)
            known.keep(one)
        progress(f"{len(judged)} of {len(found)} mutants")
    reasons = explanations(library.spec_folder)
    survivors = [j.mutant.id for j in judged if j.verdict == "survived"]
    explained = {j.mutant.id: j.by for j in judged if j.by.startswith(UNPROVED)}
    explained |= {i: why for i in survivors for glob, why in reasons.items()
                  if fnmatch.fnmatchcase(i, glob)}
    partly = bool(len(found) < whole or names or any(j.verdict == LOST for j in judged))
    stale = () if partly else unneeded_reasons(reasons, survivors, kinds, {*decide} <= {*patched})
    return Score(tuple(sorted(judged, key=lambda j: j.mutant.id)), explained, stale)


def unneeded_reasons(
    reasons: Mapping[str, str], survivors: Sequence[str], kinds: Sequence[str], patches: bool,
) -> tuple[str, ...]:
    """The globs that no survivor needs, where all mutants that they may be about were judged.

    `patches` says that those of patches were, on all variants that decide them.
    """
    judged = {*SPECIFIED} if {*SPECIFIED} <= {*kinds} else set()
    if PATCH in kinds and patches:
        judged.add(PATCH)
    return tuple(g for g in reasons if g.partition(" ")[0] in judged
                 and not any(fnmatch.fnmatchcase(i, g) for i in survivors))


def _judge(library: Library, compared: frozenset[str], mutant: Mutant) -> Judged:
    return (judge_patch(library, mutant) if mutant.kind == PATCH
            else judge(library, mutant, compared, library.spec.first.mutants.variants))


class _State:
    """Judgements in a file, one JSON object a line.

    Each has a digest of what it rests on and of itself; lines with another digest are ignored.
    """

    def __init__(self, path: Path | None, library: Library) -> None:
        self.path = path
        self.cut = ""
        files = [
            digest_files(folder) for folder in (library.arch_folder, library.spec_folder, PACKAGE)
        ]
        files[1].pop("survivors.yaml", None)
        self.digest = digest(program("verifier.evidence.mutate.command"), files, library.archs,
                             library.generic, library.spec)
        self.judged: dict[str, Judged] = {}
        for line in self._lines():
            try:
                row = json.loads(line)
                if row["digest"] == digest(self.digest, row["mutant"], row["verdict"], row["by"]):
                    self.judged[Mutant(*row["mutant"]).id] = Judged(
                        Mutant(*row["mutant"]), row["verdict"], row["by"]
                    )
            except (ValueError, KeyError, TypeError, RecursionError):
                continue

    def _lines(self) -> list[str]:
        """The whole lines of the file.

        Raises UsageError where one is no judgement: nothing is appended to somebody else's file.
        """
        if self.path is None or not self.path.exists():
            return []
        try:
            *lines, self.cut = read_regular(self.path, MOST).decode("utf-8").split("\n")
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{self.path}: cannot be read: {getattr(error, 'strerror', None) or error}"
            ) from error
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict) or row.keys() != KEYS:
                raise UsageError(f"{self.path}:{number}: is no judgement of a mutant; --state "
                                 "names a file of these")
        return lines

    def keep(self, one: Judged) -> None:
        if self.path is None:
            return
        m = one.mutant
        mutant = [m.kind, m.variant, m.name, m.what, m.text, m.place]
        row = {"digest": digest(self.digest, mutant, one.verdict, one.by), "mutant": mutant,
               "verdict": one.verdict, "by": one.by}
        try:
            if self.cut:  # the end of a line that a run was stopped in
                os.truncate(self.path, self.path.stat().st_size - len(self.cut.encode()))
                self.cut = ""
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be written: {error.strerror}") from error


def explanations(spec_folder: Path) -> dict[str, str]:
    """Glob of mutants' ids -> why nothing has to notice them; SpecError at a mistake."""
    path = spec_folder / "survivors.yaml"
    if not os.path.lexists(path):
        return {}
    top = read_yaml(path, "specs/survivors.yaml")
    top.only(("survivors",), "the file")
    table = top.need("survivors", Table, "the file")
    return {glob: table.text(glob, "survivors") for glob in table}


def text(score: Score, verbose: bool) -> Iterator[str]:
    """The score, for people."""
    for one in score.judged:
        if one.verdict == LOST or (verbose and one.verdict != "survived"):
            yield f"{one.verdict:<10}  {one.mutant.id}  ({one.by})"
    for one in score.judged:
        if one.verdict == "survived":
            why = score.explained.get(one.mutant.id)
            yield (f"{'explained' if why else 'SURVIVED':<10}  {one.mutant.id}  "
                   f"({one.mutant.place}): {why or one.by}")
    for glob in score.stale:
        yield f"stale       specs/survivors.yaml explains {glob!r}, which nothing needs"
    counts = Counter(j.verdict for j in score.judged)
    killed = [j for j in score.judged if j.verdict == "killed"]
    by = Counter("conform" if j.by.startswith("conform") else "an effect"
                 if j.by.startswith(AS_AN_EFFECT) else
                 "worse" if j.by.startswith(WORSE) else "a verdict" for j in killed)
    left = len(score.unexplained())
    yield from _of_patches(score)
    yield (f"{len(score.judged)} mutants: {counts['killed']} killed ({by['a verdict']} by a "
           "verdict, "
           f"{by['an effect']} as an effect, {by['conform']} by "
           f"conform{f', {n} as worse' if (n := by['worse']) else ''}), "
           f"{counts['refused']} refused, {counts['equivalent']} equivalent by proof, "
           f"{counts['survived']} survived ({counts['survived'] - left} explained)"
           f"{f', {counts[LOST]} lost' if counts[LOST] else ''}.")


COLUMNS = ("refuted", "effect", "worse", "equivalent", "narrower", "surviving")


def patch_word(one: Judged) -> str:
    """What became of a mistake of a patch; empty where it does not load, or nobody knows."""
    if one.verdict == "killed":
        return ("effect" if one.by.startswith(AS_AN_EFFECT) else "worse" if one.by.startswith(WORSE)
                else "refuted")
    if one.verdict == "equivalent":
        return "narrower" if one.by.startswith(NARROWER) else "equivalent"
    return "surviving" if one.verdict == "survived" else ""


def _of_patches(score: Score) -> Iterator[str]:
    """The number of patches' mistakes by level, by kind, and by what became of them."""
    rows: dict[str, Counter[str]] = {}
    for one in score.judged:
        word = patch_word(one) if one.mutant.kind == PATCH else ""
        if word:
            _, level, encoding, code = one.mutant.variant.split("/")
            for row in (f"{level} {encoding}/{code}", one.mutant.what.partition(":")[0], "all"):
                rows.setdefault(row, Counter())[word] += 1
    if rows:
        yield (f"{'mistakes of patches':<28}{'planted':>9}"
               + "".join(f"{word:>12}" for word in COLUMNS))
    for row in sorted(rows, key=lambda r: (r == "all", " " not in r, r)):
        yield (f"{row:<28}{rows[row].total():>9}"
               + "".join(f"{rows[row][word]:>12}" for word in COLUMNS))


def as_json(score: Score) -> dict[str, object]:
    """The score as data: every mutant, its verdict and by what, and the reason where it survives.
    """
    counts = Counter(j.verdict for j in score.judged)
    return {
        "schema": "pteproof.mutants/1",
        "summary": {"mutants": len(score.judged), **dict(sorted(counts.items())),
                    "unexplained": len(score.unexplained()),
                    "stale": list(score.stale)},
        "mutants": [
            {"id": j.mutant.id, "kind": j.mutant.kind, "variant": j.mutant.variant,
             "name": j.mutant.name, "what": j.mutant.what,
             "place": j.mutant.place, "verdict": j.verdict, "by": j.by,
             "reason": score.explained.get(j.mutant.id)}
            for j in score.judged],
    }
