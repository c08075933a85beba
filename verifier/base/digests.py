# SPDX-License-Identifier: GPL-2.0-or-later
"""Digests of what a result rests on: the loaded data, the program's code, and its packages.

Data is digested whole, as the loaders give it, so that a new field of a record counts at once. Code
is digested without comments and docstrings. Which modules count follows from their imports, so
nobody keeps a list of them.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.base.compiled import compiled
from verifier.base.errors import Where
from verifier.base.store import cache_folder, read_regular, read_sealed, write_sealed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["PACKAGE", "digest", "digest_files", "modules_of", "program"]

PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = (".dist-info", ".egg-info", ".egg-link")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def digest(*values: object) -> str:
    """A digest of data: texts, numbers, records, mappings in their order, sequences and sets.

    Places in files (`Where`) do not count. Raises TypeError for anything else, such as a path: its
    name and its contents are two things.
    """
    parts: list[str] = []
    for value in values:
        _describe(value, parts)
    return hashlib.sha256("".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _describe(value: object, parts: list[str]) -> None:
    """Append a text that two values have in common only if they are the same."""
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        parts.append(f"{value!r},")
    elif isinstance(value, Where):
        return
    elif is_dataclass(value) and not isinstance(value, type):
        parts.append(f"{type(value).__qualname__}(")
        for name in _names(type(value)):
            _describe(getattr(value, name), parts)
        parts.append(")")
    elif isinstance(value, Mapping):
        parts.append("{")
        for key, one in value.items():
            _describe(key, parts)
            _describe(one, parts)
        parts.append("}")
    elif isinstance(value, (tuple, list)):
        parts.append("[")
        for one in value:
            _describe(one, parts)
        parts.append("]")
    elif isinstance(value, Set):
        parts.append(f"<{''.join(sorted(digest(one) for one in value))}>")
    else:
        raise TypeError(f"no digest of a {type(value).__name__}")


@cache
def _names(kind: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def digest_files(folder: Path, pattern: str = "*.yaml") -> dict[str, str]:
    """The digest of each file of that pattern, by its path below the folder.

    Raises OSError where a file cannot be read.
    """
    return {str(path.relative_to(folder)): hashlib.sha256(read_regular(path)).hexdigest()
            for path in sorted(folder.rglob(pattern))}


def program(*modules: str) -> str:
    """A digest of all code that these modules may run, with the versions of what they use.

    Code is that of the modules and of all that they import within this package. Versions are those
    of Python and of every other package that this code imports.
    """
    found = _reached(*modules)
    code = {name: found[name].code for name in sorted(found)}
    used = sorted({top for module in found.values() for top in module.packages})
    versions = _versions(used)
    _Memo.write()
    return digest(sys.version, code, versions)


def modules_of(*modules: str) -> set[str]:
    """These modules of the package and all that they import within it, directly or not."""
    return set(_reached(*modules))


def _reached(*modules: str) -> dict[str, _Module]:
    """These modules and all that they import within the package, each as its file is now."""
    found: dict[str, _Module] = {}
    left, seen = list(modules), set()
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        if (module := _read(name)) is not None:
            found[name] = module
            left += [*module.imports, *([name.rpartition(".")[0]] if "." in name else [])]
    return found


class _Module:
    """One file of code: its digest, its imports within the package, and the other packages."""

    def __init__(self, code: str, imports: list[str], packages: list[str]) -> None:
        self.code, self.imports, self.packages = code, imports, packages

    @classmethod
    def parsed(cls, text: bytes) -> _Module:
        tree = ast.parse(text)
        named = sorted(set(_imported(tree)))
        own = PACKAGE.name
        for node in ast.walk(tree):
            if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, False) is not None:
                del node.body[0]
        return cls(
            hashlib.sha256(ast.dump(tree).encode("utf-8", "surrogatepass")).hexdigest(),
            [name for name in named if name.partition(".")[0] == own],
            sorted({name.partition(".")[0] for name in named} - {own, *sys.stdlib_module_names}),
        )


def _imported(tree: ast.Module) -> Iterator[str]:
    """The names that a module imports, and names that may be modules.

    `from a import b` gives a and a.b. A text that begins with the name of this package counts too.
    """
    for node in ast.walk(tree):
        if (isinstance(node, ast.Constant) and isinstance(node.value, str)
                and node.value.startswith(f"{PACKAGE.name}.")):
            yield node.value
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


class _Memo:
    """What earlier runs found in files of code, by the digest of their bytes.

    Parsing all files takes half a second.
    """

    known: dict[str, object] | None = None
    new = False

    @classmethod
    def path(cls) -> Path | None:
        folder = cache_folder()
        return None if folder is None else folder / f"code-{_rule()}.json"

    @classmethod
    def all(cls) -> dict[str, object]:
        if cls.known is None:
            found = read_sealed(cls.path())
            cls.known = found if isinstance(found, dict) else {}
        return cls.known

    @classmethod
    def write(cls) -> None:
        path = cls.path()
        if cls.new and path is not None:
            write_sealed(path, cls.known)
            cls.new = False


@cache
def _rule() -> str:
    """What parsing itself rests on: this file, and Python."""
    return hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode()).hexdigest()[:16]


def _file(name: str) -> Path | None:
    """The file of a module of the package, perhaps a compiled one; None where that is no module."""
    base = os.path.join(PACKAGE, *name.split(".")[1:])
    for path in (os.path.join(base, "__init__.py"), f"{base}.py"):
        if os.path.isfile(path):
            return Path(path)
    return compiled(Path(f"{base}.c")) if os.path.isfile(f"{base}.c") else None


def _read(name: str) -> _Module | None:
    """A module of the package as its file is now; None where that is no module."""
    path = _file(name)
    if path is None:
        return None
    text = path.read_bytes()
    if path.suffix == ".so":
        return _Module(hashlib.sha256(text).hexdigest(), [], [])
    key, memo = hashlib.sha256(text).hexdigest(), _Memo.all()
    match memo.get(key):
        case [str(code), list(imports), list(packages)]:
            return _Module(code, imports, packages)
    found = _Module.parsed(text)
    memo[key] = [found.code, found.imports, found.packages]
    _Memo.new = True
    return found


def _versions(tops: Iterable[str]) -> dict[str, list[str]]:
    """The distributions of each package with their versions; none where it is not installed.

    Reading which distribution has which package takes long. So it is kept, under the names of all
    folders that say what is installed: these names have the versions.
    """
    installed, memo = _installed(), _Memo.all()
    found: dict[str, list[str]] = {}
    for top in tops:
        key = f"{top} of {installed}"
        match memo.get(key):
            case list(known):
                found[top] = known
            case _:
                memo[key] = found[top] = _distributions(installed).get(top, [])
                _Memo.new = True
    return found


def _installed() -> str:
    """A digest of the names by which distributions are installed where Python looks for them."""
    found = []
    for folder in sys.path:
        try:
            found.append(
                sorted(name for name in os.listdir(folder or ".") if name.endswith(_INSTALLED))
            )
        except OSError:
            continue  # sys.path has files, and folders that are not there
    return digest([names for names in found if names])


@cache
def _distributions(installed: str) -> dict[str, list[str]]:
    """Of each package that is installed, the distributions that have it, with their versions."""
    from importlib import metadata

    return {top: sorted({f"{name} {metadata.version(name)}" for name in names})
            for top, names in metadata.packages_distributions().items()}
