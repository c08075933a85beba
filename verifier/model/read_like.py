# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of arch/ that are like another one: `like: BASE`, and what differs.

Such a file has all that its base has, but for

    without:  names, or globs of names, that the base has and it has not
    differs:  what takes the place of what the base has under the same name
    all else  what the base has not

Variants are always its own. Every text keeps its place: what the base says stands in its file.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from pathlib import Path

from verifier.base.errors import SpecError, nearest
from verifier.language.read_yaml import Items, Plain, Source, Table, read_yaml
from verifier.model.arch_records import GENERIC

__all__ = ["Whole", "bare", "read_whole"]

Whole = tuple[Table, tuple[str, ...]]  # a file with what it shares, and what it is like
_ITS_OWN = ("arch", "like", "without", "differs", "variants")  # what is never the base's


def read_whole(
    path: Path, shown: Callable[[Path], str], keys: tuple[str, ...], read: dict[Path, Whole],
) -> Whole:
    """A file of arch/ with all that it shares with the one that it is like, if it is like one.

    `keys` are those of an architecture; `read` keeps what was read before. Raises SpecError where
    a file is like itself or like none, where it says again what its base says, and where it takes
    away or replaces what its base has not.
    """
    return _whole(path, shown, keys, read, ())


def _whole(
    path: Path, shown: Callable[[Path], str], keys: tuple[str, ...], read: dict[Path, Whole],
    before: tuple[str, ...],
) -> Whole:
    if path in read:
        return read[path]
    table = read_yaml(path, shown(path))
    table.only((*keys, "like", "without", "differs"), "an architecture")
    for key in ("without", "differs"):
        if key in table and "like" not in table:
            raise SpecError(table.key_at[key], f"{key!r} is about an architecture that this one is "
                                               "like, and there is no `like`")
    found: Whole = table, ()
    if "like" in table:
        name = table.text("like", "an architecture")
        chain = (*before, path.stem)
        if name in chain:
            loop = " is like ".join((*chain, name))
            raise SpecError(table.at["like"], f"{loop}: one of them has to be whole")
        known = [other.stem for other in path.parent.glob("*.yaml") if other.stem != GENERIC]
        if name not in known:
            hint = nearest(name, known)
            raise SpecError(table.at["like"], f"no architecture {name!r} to be like{hint}")
        base, more = _whole(path.with_name(f"{name}.yaml"), shown, keys, read, chain)
        found = _Merge(table, base, name, keys).whole(), (name, *more)
    read[path] = found
    return found


class _Merge:
    """One file over the whole of its base."""

    def __init__(self, own: Table, base: Table, name: str, keys: tuple[str, ...]) -> None:
        self.own, self.base, self.name, self.keys = own, base, name, keys
        self.without, self.differs = _part(own, "without"), _part(own, "differs")

    def whole(self) -> Table:
        """All keys of an architecture: the file's own, and the base's."""
        whole = Table(self.own.where)
        shared = [key for key in self.keys if key not in _ITS_OWN]
        sections = [key for key in shared if isinstance(self.base.get(key), Table)]
        self.without.only(sections, "what it is without")
        self.differs.only(shared, "what differs")
        for key in self.own:
            if key in _ITS_OWN:
                _put(whole, key, self.own)
        for key in shared:
            if key in sections:
                whole[key] = self.section(key)
                first = next(one for one in (self.own, self.differs, self.base) if key in one)
                whole.key_at[key], whole.at[key] = first.key_at[key], first.at[key]
            else:
                self.value(whole, key)
        if "kernel" not in whole:
            _put(whole, "kernel", self.base, "arch")
        return whole

    def value(self, whole: Table, key: str) -> None:
        """A key that has one value: the file's own, else the base's."""
        if key in self.own and key in self.base:
            raise SpecError(
                self.own.key_at[key], f"{self.name} has {key!r} too: say it in `differs`"
            )
        if key in self.differs:
            if key not in self.base:
                raise SpecError(self.differs.key_at[key], f"{self.name} has no {key!r} to differ "
                                                          "from: say it outside of `differs`")
            self.refuse_same(self.differs, key, self.base[key])
        for one in (self.differs, self.own, self.base):
            if key in one:
                _put(whole, key, one)
                return

    def section(self, key: str) -> Table:
        """The entries under a key: the base's in their order, then the file's own."""
        theirs = _part(self.base, key)
        base = {bare(written): written for written in theirs}
        own, differs = _part(self.own, key), _part(self.differs, key)
        left = self.left(key, base)
        instead = _by_name(differs)
        for name, written in instead.items():
            if name not in left:
                why = "this file is without it" if name in base else f"{self.name} has none"
                raise SpecError(differs.key_at[written], f"no {name!r} in {key} to differ from: "
                                                         f"{why}{nearest(name, left)}")
            if written == left[name]:
                self.refuse_same(differs, written, theirs[written])
        found = Table(theirs.where)
        for name, written in left.items():
            if name in instead:
                _put(found, instead[name], differs)
            else:
                _put(found, written, theirs)
        for name, written in _by_name(own).items():
            if name in base:
                raise SpecError(own.key_at[written],
                                f"{self.name} has {name!r} in {key} too: say it in `differs`")
            _put(found, written, own)
        return found

    def left(self, key: str, base: dict[str, str]) -> dict[str, str]:
        """What is left of the base's entries under a key, by name."""
        globs = self.without.get_as(key, Items, Items(self.without.where))
        gone: set[str] = set()
        for glob, where in zip(globs.texts(key), globs.at, strict=True):
            found = {name for name in base if fnmatch.fnmatchcase(name, glob)}
            if not found:
                raise SpecError(where, f"{self.name} has no {glob!r} in {key} for this file to be "
                                       f"without{nearest(glob, base)}")
            gone |= found
        return {name: written for name, written in base.items() if name not in gone}

    def refuse_same(self, differs: Table, key: str, base: Plain) -> None:
        """Refuse what differs in nothing: a reader would look for the difference."""
        if _plain(differs[key]) == _plain(base):
            raise SpecError(differs.key_at[key],
                            f"{bare(key)!r} is the same as {self.name}'s: leave it out")


def bare(key: str) -> str:
    """The name in a helper's key, which has its parameters too.

    >>> bare("pte_modify(pte, newprot)"), bare("PFN")
    ('pte_modify', 'PFN')
    """
    return key.partition("(")[0].strip()


def _by_name(table: Table) -> dict[str, str]:
    """Name -> the key that it stands in; SpecError where a name stands twice."""
    found: dict[str, str] = {}
    for key in table:
        if bare(key) in found:
            raise SpecError(table.key_at[key], f"{bare(key)} stands twice")
        found[bare(key)] = key
    return found


def _plain(value: Plain) -> object:
    """A value without its places."""
    match value:
        case Source():
            return value.text
        case Table():
            return [(key, _plain(one)) for key, one in value.items()]
        case Items():
            return [_plain(one) for one in value]
        case _:
            return value


def _part(table: Table, key: str) -> Table:
    found = table.get_as(key, Table, None)
    return Table(table.where) if found is None else found


def _put(into: Table, key: str, table: Table, written: str = "") -> None:
    """Take a value over with its places."""
    at = written or key
    into[key], into.key_at[key], into.at[key] = table[at], table.key_at[at], table.at[at]
