# SPDX-License-Identifier: GPL-2.0-or-later
"""What a patch changes of the functions and the uses of helpers that specs/ speaks of, by its text.

A function is touched where its own text changes, or that of something which it uses: directly, or
through other definitions of its own file and of the files that the patch edits. What a file that
nobody edits passes on from an edited one is not followed; lifting sees it, and texts do not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from verifier.kernel.sites.definitions import (
    INCLUDES,
    NAMELESS,
    changed_names,
    defined_at,
    definitions,
    reaching,
    words_of,
)
from verifier.kernel.sites.scan import Occurrence, scan_text
from verifier.meeting.site_changes import Changes, Use, compare_uses
from verifier.meeting.sites import (
    CLAIMED,
    LATER,
    OUT,
    Place,
    Site,
    SiteClaims,
    judge,
    status_of,
)

__all__ = ["TouchedFunction", "TouchedNames", "changed_sites", "comes_to", "touched_functions",
           "touched_names"]

Contents = Callable[[str], bytes | None]  # path in the tree -> its bytes, None: there is no file


@dataclass(frozen=True, slots=True)
class TouchedFunction:
    """A function of the kernel that specs/ speaks of, and that a patch changes.

    rows   the rows of the catalogue that are about it
    by     what models it: transitions and hardware's events; empty where nothing does yet
    why    what of it changes: its text, or something that it uses
    line   where its definition begins afterwards; 0 where it has none
    """

    file: str
    function: str
    rows: tuple[str, ...]
    by: tuple[str, ...]
    why: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.function}"


@dataclass(frozen=True, slots=True)
class TouchedNames:
    """The names that each edited file defines in another way than before."""

    names: Mapping[str, frozenset[str]]

    def nameless(self) -> list[str]:
        """The files in which something without a name changes."""
        return sorted(file for file, names in self.names.items() if NAMELESS in names)

    def including(self) -> list[str]:
        """The files that include others than before."""
        return sorted(file for file, names in self.names.items() if INCLUDES in names)


def touched_names(before: Contents, after: Contents, files: Iterable[str]) -> TouchedNames:
    """What changes in these files. Comments and white space are no change."""
    found = {file: frozenset(changed_names(before(file), after(file))) for file in files
             if file.endswith((".c", ".h"))}
    return TouchedNames({file: names for file, names in found.items() if names})


def touched_functions(
    claims: SiteClaims, before: Contents, after: Contents, touched: TouchedNames,
    helpers: Collection[str] = (),
) -> list[TouchedFunction]:
    """The functions of the catalogue and of specs/sites.yaml that change, by file and name.

    before, after  the contents of the whole tree without and with the patch
    helpers        names that pass nothing on: the steps of specs/ call them by name, and somebody
                   judges what becomes of these steps
    """
    by_file: dict[str, list[str]] = defaultdict(list)
    steps = claims.catalogue.places
    for file, function in sorted(claims.spoken_of() | {_place(site) for site in steps}):
        by_file[file].append(function)
    passed_on = _passed_on(after, touched, helpers)
    found = []
    for file, functions in by_file.items():
        why = _reasons(file, functions, after, touched, passed_on)
        for function in functions:
            place = (file, function)
            status, rows, by, _ = status_of(claims, place)
            reason = why.get(function) or why.get(NAMELESS)
            if not by and f"{file}:{function}" in steps:  # it uses no helper of entries
                status, by = CLAIMED, steps[f"{file}:{function}"]
            if reason is not None and status != OUT and _is_there(before, after, place):
                found.append(TouchedFunction(file, function, rows, () if status == LATER else by,
                                             reason, defined_at(after(file) or b"", function)))
    return found


def _place(site: str) -> Place:
    file, _, function = site.partition(":")
    return file, function


def _passed_on(
    after: Contents, touched: TouchedNames, helpers: Collection[str],
) -> dict[str, str]:
    """The names that change of what other files may see of the edited headers, and in which."""
    found: dict[str, str] = {}
    for file, names in touched.names.items():
        if file.endswith(".h"):
            texts = definitions(after(file) or b"")
            own = {name for name in names if name not in (NAMELESS, INCLUDES, *helpers)}
            found |= dict.fromkeys(own | (reaching(texts, own, helpers).keys() - {*helpers}), file)
    return found


def _reasons(
    file: str, functions: Collection[str], after: Contents, touched: TouchedNames,
    passed_on: Mapping[str, str],
) -> dict[str, str]:
    """Name -> why it changes, of all names that a file defines. NAMELESS: all of them do.

    A function that specs/ speaks of passes nothing on to those that call it: it is looked at
    itself.
    """
    own = touched.names.get(file, frozenset())
    if not own and not passed_on:
        return {}
    text = after(file)
    if text is None:
        return dict.fromkeys(own, "it goes")
    seen = words_of(text) if passed_on else set()
    outside = [name for name, header in passed_on.items()
               if name in seen and _may_include(file, header)]
    if not own and not outside:
        return {}
    why = {name: f"{used} changes, which it uses"
           for name, used in reaching(definitions(text), [*own, *outside], functions).items()}
    why |= {name: "its text changes" for name in own if name not in (NAMELESS, INCLUDES)}
    if NAMELESS in own:
        why[NAMELESS] = "its file changes outside of what has a name"
    return why


def _may_include(file: str, header: str) -> bool:
    """A file of one architecture includes no header of another."""
    return not (file.startswith("arch/") and header.startswith("arch/")
                and file.split("/")[1] != header.split("/")[1])


def _is_there(before: Contents, after: Contents, place: Place) -> bool:
    """Does the file define the function, before or after? A new kernel's files may lack it."""
    file, function = place
    texts = (before(file) or b"", after(file) or b"")
    return any(function.encode() in text for text in texts)


def comes_to(
    contents: Callable[[str], bytes], sites: Mapping[str, str], step: str, function: str
) -> bool:
    """May the place of a step (of `sites`) come to a function, by the texts of the two files?

    Files between the two are not followed: the scheduler's tables of functions are among them, by
    which everything comes to everything. A step without a place may.
    """
    file, _, name = function.partition(":")
    there, _, begins = sites.get(step, function).partition(":")
    names = {name, *reaching(definitions(contents(file)), [name])}
    return begins in names if there == file else (
        begins in reaching(definitions(contents(there)), names))


def changed_sites(
    claims: SiteClaims, before: Contents, after: Contents, files: Iterable[str],
) -> tuple[Changes, list[Site]]:
    """What the patch changes of the uses of helpers, and the uses afterwards in these files."""
    read = [file for file in files if claims.wanted.covers(file)]
    old = list(judge(claims, _uses(claims, before, read)))
    new = list(judge(claims, _uses(claims, after, read)))
    return compare_uses(map(_use, old), map(_use, new)), new


def _uses(claims: SiteClaims, contents: Contents, files: Iterable[str]) -> Iterator[Occurrence]:
    for file in files:
        yield from scan_text(file, contents(file) or b"", claims.wanted)


def _use(site: Site) -> Use:
    return Use(site.use.file, site.use.function, site.use.helper, site.use.digest)
