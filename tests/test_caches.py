# SPDX-License-Identifier: GPL-2.0-or-later
"""What is kept between runs: every input that is edited changes the key, and what is edited by hand
is refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest

import verifier.run.worker
from verifier.base import digests, store
from verifier.base.digests import digest, modules_of, program
from verifier.base.errors import Where
from verifier.base.store import read_sealed, write_sealed
from verifier.commands import told
from verifier.commands.told import Told
from verifier.evidence.mutate.command import _State
from verifier.evidence.mutate.mutants import Judged, Mutant
from verifier.model.arch_records import Arch
from verifier.prove.obligations import Group
from verifier.prove.results import (
    OVER,
    Proved,
    Refuted,
    Run,
    Unknown,
    Vacuous,
    Verdict,
    settled,
    verdict_name,
)
from verifier.run.cache import Cache
from verifier.run.codec import from_plain, to_plain
from verifier.run.filters import Filters
from verifier.run.grounds import code, grounds, of_theorems
from verifier.run.library import Library, load_library
from verifier.run.scheduler import Options, prove
from verifier.search.trace import Search
from verifier.search.unrolling import Unrolling

GROUP = Group("x86_64", "pmd", "option-c", "today")
# Proofs, failures with a trace, with a consequence, and, of two steps, without a trace.
FEW = Filters(("x86_64",), ("pte",), ("option-c",), ("today",),
              ("fork-pte", "swap-out", "wp-reuse"))


# Keys: every input is edited in turn.

def keys(library: Library, group: Group = GROUP, code: str = "code", solver: str = "bits",
         depth: int = 8) -> tuple[str, str]:
    """What a proof about fork-pmd rests on, and what a failure does."""
    found = grounds(library, group, library.group_model(group), code, solver, depth)
    return found.proofs["fork-pmd"], found.failures


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """arch/ and specs/ to edit; of the architectures few, since all take long to load."""
    shipped = load_library()
    shutil.copytree(shipped.arch_folder, tmp_path / "arch")
    shutil.copytree(shipped.spec_folder, tmp_path / "specs")
    for path in (tmp_path / "arch").glob("*.yaml"):
        if path.stem not in ("x86", "alpha", "generic"):
            path.unlink()
    return tmp_path


def edited(path: Path) -> str:
    """Edit one sentence of a file, such that it still loads; what the file was."""
    text = path.read_text()
    new = re.sub(r'((?:describe|because|source): "?)(?=[\w/])', r"\1x", text, count=1)
    assert new != text, path
    path.write_text(new)
    return text


def like(library: Library, **given: Any) -> Library:
    """A library with something else in it, and nothing typed yet."""
    return replace(library, _layouts={}, _models={}, **given)


# which keys of fork-pmd at level pmd under option-c an edit changes: that of a proof, that of a
# failure
RESTS = {
    "arch/x86.yaml": (True, True), "arch/generic.yaml": (True, True),
    "arch/alpha.yaml": (False, False),
    "specs/world.yaml": (True, True), "specs/properties.yaml": (True, True),
    "specs/encodings/option-c.yaml": (True, True), "specs/encodings/page-flag.yaml": (False, False),
    "specs/levels/pmd.yaml": (True, True), "specs/levels/pte.yaml": (True, True),
    "specs/levels/hugetlb.yaml": (True, True), "specs/threads/gup-fast.yaml": (True, True),
    "specs/transitions/gup.yaml": (False, True), "specs/transitions/hugetlb.yaml": (False, False),
    "specs/laws.yaml": (False, False), "specs/traits.yaml": (False, False),
}


def test_every_file_that_a_group_is_loaded_from_is_in_its_keys(copied: Path) -> None:
    def now() -> tuple[str, str]:
        return keys(load_library(copied / "arch", copied / "specs"))

    first = now()
    for name, rests in RESTS.items():
        before = edited(copied / name)
        found = now()
        assert (found[0] != first[0], found[1] != first[1]) == rests, name
        (copied / name).write_text(before)
    for name in RESTS:
        (copied / name).write_text(f"# a comment\n\n{(copied / name).read_text()}")
    assert now() == first


def test_every_file_that_theorems_rest_on_is_in_the_key_of_their_text(copied: Path) -> None:
    """It is what their failures rest on, and what is said to be left out."""
    filters = Filters(theorems=("x86_64/pmd/option-c/today",))

    def now() -> str:
        return of_theorems(load_library(copied / "arch", copied / "specs"), filters)

    first = now()
    for name, (_, rests) in RESTS.items():
        before = edited(copied / name)
        assert (now() != first) == rests, name
        (copied / name).write_text(f"# a comment\n\n{before}")
    assert now() == first
    library = load_library(copied / "arch", copied / "specs")
    for wider in ("x86_64", "x86_64/pmd/option-c/o*"):
        assert of_theorems(library, Filters(theorems=(wider,))) != first
    # what is left out is told
    assert of_theorems(library, replace(filters, level=("pmd",))) != first


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every text, number and truth below a record, with the way there."""
    if isinstance(value, Where):
        return
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from leaves(getattr(value, field.name),
                              (*path, (type(value).__name__, field.name)))
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from leaves(one, (*path, key))
    elif isinstance(value, (tuple, list)):
        for number, one in enumerate(value):
            yield from leaves(one, (*path, number))
    elif isinstance(value, (str, int, bool)):
        yield path, value


def changed(value: Any, path: tuple[Any, ...]) -> Any:
    """The same with one leaf changed."""
    if not path:
        return (value + "x" if isinstance(value, str) else not value if isinstance(value, bool)
                else value + 1)
    step, *rest = path
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{step[1]: changed(getattr(value, step[1]), tuple(rest))})
    if isinstance(value, Mapping):
        return {key: changed(one, tuple(rest)) if key == step else one
                for key, one in value.items()}
    return tuple(changed(one, tuple(rest)) if number == step else one
                 for number, one in enumerate(value))


def test_every_field_of_every_record_is_in_the_key(library: Library) -> None:
    """One leaf of each field of each kind of record: a field that somebody adds is asked for by
    itself.
    """
    fork = library.spec.transitions["fork-pmd"]
    spec = replace(library.spec, transitions={"fork-pmd": fork},
                   encodings={"option-c": library.spec.encodings["option-c"]})
    arch = library.archs["x86"]
    seen: set[tuple[Any, ...]] = set()
    first = digest(arch, spec)
    for number, whole in enumerate((arch, spec)):
        for path, _ in leaves(whole):
            kind = (number, *(step for step in path if isinstance(step, tuple)))
            if kind not in seen:
                seen.add(kind)
                found = [arch, spec]
                found[number] = changed(whole, path)
                assert digest(*found) != first, path
    assert len(seen) > 60
    others = dict(library.spec.transitions) | {"fork-pmd": replace(fork, site="x")}
    assert (
        keys(like(library, spec=replace(library.spec, transitions=others)))[0] != keys(library)[0]
    )


def test_who_decides_and_how_deep_is_in_the_key(library: Library) -> None:
    first = keys(library)
    assert keys(library) == first
    variant, other = replace(GROUP, variant="x86_64+shstk"), replace(GROUP, code="option-c")
    for found in (keys(library, code="other"), keys(library, solver="z3"), keys(library, variant),
                  keys(library, other)):
        assert found[0] != first[0] and found[1] != first[1]
    deeper = keys(library, depth=9)
    assert deeper[0] == first[0] and deeper[1] != first[1]


def test_data_that_has_no_digest_is_an_error() -> None:
    for odd in (Path("/"), object(), {"x": Path("/")}):
        with pytest.raises(TypeError, match="no digest of a"):
            digest(odd)
    assert (len({digest(one) for one in (1, "1", True, [1], {1}, (1, 1), ((1,), 1), "1,1", None, "",
                                         {"1": 1}, b"1", 1.0)}) == 13)
    assert (digest({"a", "b", "c"}) == digest({"c", "a", "b"})
            and digest({"a": 1, "b": 2}) != digest({"b": 2, "a": 1}))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of which `top` needs `low`, within a function, and `low` needs `sub.deep`.

    Nobody needs `aside`.
    """
    texts = {
        "__init__.py": '"""x"""\n',
        "top.py": '"""x"""\ndef f():\n    """x"""\n    from pk import low\n    return low\n',
        "low.py": "import os\nfrom pk.sub.deep import one\nimport click\n", "aside.py": "x = 1\n",
        "sub/__init__.py": "", "sub/deep.py": "one = 1\n",
    }
    for name, text in texts.items():
        path = tmp_path / "pk" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(digests, "PACKAGE", tmp_path / "pk")
    return tmp_path / "pk"


def test_code_counts_where_it_may_run(package: Path) -> None:
    first = program("pk.top")
    assert modules_of("pk.top") == {"pk", "pk.top", "pk.low", "pk.sub", "pk.sub.deep"}
    (package / "by_name.py").write_text('KNOWN = {"x": "pk.aside"}\n')
    assert modules_of("pk.by_name") == {"pk", "pk.by_name", "pk.aside"}
    said = '# more\n"""y"""\n\ndef f():\n    """y"""\n    from pk import low\n    return low\n'
    for name, what, counts in (
        ("aside.py", "x = 2\n", False), ("top.py", said, False), ("sub/deep.py", "one = 2\n", True),
        ("low.py", "from pk.sub.deep import one\nimport click\n", True),
        ("__init__.py", "x = 1\n", True),
        ("sub/__init__.py", "x = 1\n", True),
        ("top.py", "def f():\n    from pk import aside\n    return low\n", True),
    ):
        before = (package / name).read_text()
        (package / name).write_text(what)
        assert (program("pk.top") != first) == counts, name
        (package / name).write_text(before)
    assert program("pk.top") == first


def test_versions_count(package: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of a package that the code imports: which distributions have it, and their versions.

    And Python's own.
    """
    monkeypatch.setattr(digests, "cache_folder", lambda: tmp_path / "kept")
    monkeypatch.setattr(digests._Memo, "known", None)
    monkeypatch.syspath_prepend(tmp_path / "site")
    seen = [program("pk.top")]
    for name, version, top in (("clicks", "1", "click"), ("clicks", "2", "click"),
                               ("aside", "1", "aside")):
        for older in (tmp_path / "site").glob(f"{name}-*"):
            shutil.rmtree(older)
        info = tmp_path / "site" / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "top_level.txt").write_text(f"{top}\n")
        seen.append(program("pk.top"))
        monkeypatch.setattr(digests._Memo, "known", None)
        assert program("pk.top") == seen[-1]
    assert len(set(seen[:3])) == 3 and seen[3] == seen[2]
    monkeypatch.setattr(sys, "version", "4.0")
    assert program("pk.top") not in seen


def test_a_forged_memo_of_the_code_is_refused(package: Path, monkeypatch: pytest.MonkeyPatch,
                                              tmp_path: Path) -> None:
    monkeypatch.setattr(digests, "cache_folder", lambda: tmp_path / "kept")

    def fresh() -> str:
        monkeypatch.setattr(digests._Memo, "known", None)
        return program("pk.top")

    first = fresh()
    (memo,) = (tmp_path / "kept").iterdir()
    written = memo.read_text()
    for forged in (re.sub(r"[0-9a-f]{64}\",\[", "0" * 64 + '",[', written), written[:-4], "", "{}",
                   "[" * 100_000):
        memo.write_text(forged)
        assert fresh() == first
    assert fresh() == first and memo.read_text() == written


def test_what_decides_is_known_by_what_it_imports() -> None:
    found = modules_of("verifier.run.worker")
    assert {f"verifier.{name}" for name in (
        "prove.bits_way", "search.trace", "prove.all_ways", "prove.terms_way", "search.through",
        "language.read_yaml")} <= found
    above = {"report", "commands", "cli", "evidence", "meeting", "kernel"}
    assert not [name for name in found if name.split(".")[1:] and name.split(".")[1] in above]
    assert {f"verifier.kernel.tree.{name}"
            for name in ("lookalike", "patched", "shapes")} <= modules_of(
        "verifier.kernel.tree.compile"
    )
    assert ({"verifier.report.explain", "verifier.report.tables",
             "verifier.run.worker"} <= modules_of("verifier.cli"))
    assert {f"verifier.{name}" for name in (
        "run.deciding", "run.hinting", "run.reaching", "run.ending", "run.recall", "run.cache",
        "search.consequence", "search.follow", "prove.other_helpers", "model.read_specs",
        "model.read_arch")} <= found


def test_no_module_runs_that_the_code_does_not_count(tmp_path: Path) -> None:
    """A process that decides, searches, and writes its cache: every module of ours that it has
    loaded is known.
    """
    text = f"""
import sys
from pathlib import Path
from verifier.run.filters import Filters
from verifier.run.library import load_library
from verifier.run.messages import Task
from verifier.run.worker import work
from verifier.prove.obligations import Group
filters = Filters(("x86_64",), ("pte",), ("option-c",), ("today",), ("fork-pte",))
group = Group("x86_64", "pte", "option-c", "today")
task = Task((group,), filters, 2, cache=Path({str(tmp_path)!r}))
work(load_library(), task, lambda message: None)
print(*(name for name in sys.modules if name.split(".")[0] == "verifier"))
"""
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True,
                           timeout=120).stdout.split()
    assert "verifier.search.through" in found and set(found) <= modules_of("verifier.run.worker")


def test_nothing_that_decides_reads_docstrings_or_finds_modules_by_name() -> None:
    """So that the digest of the code may go without docstrings, and follows imports and texts that
    name modules.
    """
    for name in modules_of(
        "verifier.run.worker",
        "verifier.kernel.tree.compile",
        "verifier.kernel.replay.emulated",
        "verifier.evidence.mutate.command",
    ):
        path = digests._file(name)
        assert path is not None
        if path.suffix == ".py":
            assert (not re.search(r"__doc__|import_module|importlib\.util|\b__import__",
                                  path.read_text())), name
        else:
            assert name == "verifier.engine._graph"  # compiled: of C, and counted byte by byte


# Files that were edited by hand.

def spoilt(text: str) -> Iterator[tuple[str, str]]:
    """What somebody, or a disk, may do to a sealed file."""
    head, _, body = text.partition("\n")
    yield "one letter", text.replace("e", "f", 1) if "e" in head else text.replace('"', "'", 1)
    yield "one letter of what it says", f"{head}\n{body.replace('a', 'b', 1)}"
    yield "a blank more", f"{text} "
    yield "cut off", text[: len(text) // 2]
    yield "no seal", body
    yield "another seal", f"{head[:-1]}{'0' if head[-1] != '0' else '1'}\n{body}"
    yield "empty", ""
    yield "null", "null"
    yield "deep", "[" * 200_000
    yield "deep, below a seal", f"{head}\n{'[' * 200_000}"
    yield "no text", "\udcff\udcfe"


def test_a_sealed_file_is_as_it_was_written_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_sealed(path, {"a": [1, None, "é\udcff"]})
    assert read_sealed(path) == {"a": [1, None, "é\udcff"]}
    written = path.read_text()
    for what, text in spoilt(written):
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        assert read_sealed(path) is None, what
    (tmp_path / "y.json").write_text(written)
    assert read_sealed(tmp_path / "y.json") is None  # another's name
    assert (read_sealed(tmp_path) is None and read_sealed(None) is None
            and read_sealed(tmp_path / "none") is None)


def test_what_others_may_have_written_is_not_believed(tmp_path: Path,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    write_sealed(path, 1)
    for mode in (0o600, 0o644, 0o400):
        path.chmod(mode)
        assert read_sealed(path) == 1
    for mode in (0o620, 0o602, 0o666):
        path.chmod(mode)
        assert read_sealed(path) is None
    path.chmod(0o600)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    assert read_sealed(path) is None


def plain(run: Run) -> dict[str, tuple[Verdict, tuple[str, ...]]]:
    return {r.obligation.id: (r.verdict, r.assumptions) for r in run.results}


def few(library: Library, folder: Path, **options: Any) -> Run:
    given: dict[str, Any] = {"cache": folder, "depth": 2} | options
    found = prove(library, FEW, Options(**given))
    assert not found.contradictions and not found.unfinished
    return found


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """A cache, and what was found when it was made."""
    folder = tmp_path_factory.mktemp("cache")
    return folder, few(load_library(), folder)


def file_of(folder: Path) -> Path:
    (path,) = (folder / "proofs").glob("*.json")
    return path


def copy_of(kept: tuple[Path, Run], tmp_path: Path) -> Path:
    shutil.copytree(kept[0], tmp_path / "kept")
    return tmp_path / "kept"


def test_a_warm_run_decides_and_searches_nothing(
    library: Library, kept: tuple[Path, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no(*args: Any, **given: Any) -> Any:
        raise AssertionError("not in a warm run")

    monkeypatch.setattr(Unrolling, "deepen", no)
    monkeypatch.setattr(Search, "along", no)
    monkeypatch.setattr("verifier.prove.bits_way.GroupProver.decide", no)
    again = few(library, copy_of(kept, tmp_path))
    assert plain(again) == plain(kept[1]) and all(r.cached for r in again.results)
    words = {verdict_name(v) for v, _ in plain(again).values()}
    assert words == {"proved", "refuted", "unknown"}
    assert (
        any(isinstance(v, Refuted) and v.counterexample.leads_to for v, _ in plain(again).values())
    )


def test_an_edited_cache_is_recomputed(library: Library, kept: tuple[Path, Run],
                                       tmp_path: Path) -> None:
    folder = copy_of(kept, tmp_path)
    path = file_of(folder)
    written = path.read_text()
    assert '"store-leak"' in written
    lies = {
        "a proof that is none": written.replace('"properties":{"', '"properties":{"store-leak":0,"')
    }
    for what, text in lies.items():
        path.write_text(text)
        again = few(library, folder)
        assert plain(again) == plain(kept[1]) and not any(r.cached for r in again.results), what


def sealed(path: Path) -> dict[str, Any]:
    found = read_sealed(path)
    assert isinstance(found, dict)
    return found


def all_are(part: str, odd: object, data: dict[str, Any]) -> None:
    data[part] = dict.fromkeys(data[part], odd)


def all_have(part: str, key: str, odd: object, data: dict[str, Any]) -> None:
    for kept in data[part].values():
        kept[key] = odd


def without(what: str, data: dict[str, Any]) -> None:
    for kept in data["failures"].values():
        if kept["verdict"].get("counterexample"):
            kept["verdict"]["counterexample"].pop(what)


def sealed_lies(data: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is well sealed and odd, or no failure: a forger who knows the seal, or a defect of ours.
    """
    def lie(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        copy: dict[str, Any] = json.loads(json.dumps(data))
        change(copy)
        return copy

    odd: object
    for odd in (None, 3, "x", [], {}, {"proofs": None},
                {"proofs": [], "failures": 3, "traces": "x"}):
        yield f"{odd!r}", odd
    for part in ("proofs", "failures"):
        for odd in (None, 3, [], {}, "x"):
            yield f"{part} of {odd!r}", lie(partial(all_are, part, odd))
            for key in next(iter(data[part].values())):
                if key != "digest":
                    yield f"{part}.{key}: {odd!r}", lie(partial(all_have, part, key, odd))
    yield "odd traces", lie(lambda d: d.update(traces={name: [[]] for name in d["traces"]}))
    for what in ("move", "trace", "process", "reached", "leads_to", "consequence", "depth"):
        yield f"counterexamples without {what}", lie(partial(without, what))


def test_odd_values_below_a_right_seal_crash_nothing(library: Library, kept: tuple[Path, Run],
                                                     tmp_path: Path) -> None:
    """All parts are read as their types say.

    This asks for each obligation, without deciding anything.
    """
    folder = copy_of(kept, tmp_path)
    path, group = file_of(folder), Group("x86_64", "pte", "option-c", "today")
    known = grounds(library, group, library.group_model(group), code(), "bits", 2)
    data = sealed(path)
    failed = [r.obligation for r in kept[1].results if not isinstance(r.verdict, Proved)]
    assert {f"{one.transition}/{one.property}" for one in failed} == data["failures"].keys()
    count = 0
    for what, lie in sealed_lies(data):
        write_sealed(path, lie)
        cache = Cache(group, known, folder)
        for result in kept[1].results:
            transition, prop = result.obligation.transition, result.obligation.property
            assert (cache.proved(transition, prop) in (True, False)
                    or isinstance(result.verdict, Proved)), what
            found = cache.failed(result.obligation)
            assert (found is None or found.verdict == result.verdict
                    or type(found.verdict) is type(result.verdict)), what
            cache.hint(f"{transition}/{prop}")
        count += 1
    assert count > 40


def test_forged_failures_do_not_stand(library: Library, kept: tuple[Path, Run],
                                      tmp_path: Path) -> None:
    """Well-formed and well sealed, but values that do not fail: recomputed with plain integers, and
    not believed.
    """
    folder = copy_of(kept, tmp_path)
    path = file_of(folder)
    data = sealed(path)
    refuted = [name for name, e in data["failures"].items() if e["verdict"]["is"] == "Refuted"]
    leading = next(
        n for n in refuted if data["failures"][n]["verdict"]["counterexample"]["leads_to"]
    )
    forged = {}
    for number, name in enumerate(refuted):
        found = data["failures"][name]["verdict"]["counterexample"]
        if name == leading:
            found["leads_to"] = found["leads_to"][:-1]
        elif number % 3 == 0:
            found["move"]["before"] = [[key, 0 if type(value) is int else value]
                                       for key, value in found["move"]["before"]]
        elif number % 3 == 1:
            found["trace"] = found["trace"][1:]
        else:
            found["move"]["transition"] = "no-such-step"
            found["trace"][-1]["transition"] = "no-such-step"
        forged[name] = found
    for number, trace in enumerate(data["traces"].values()):
        trace[0] |= [{"roles": [7, 9]}, {"roles": []}, {"inputs": [["x", True]]},
                     {"before": []}][number % 4]
    for entry in data["failures"].values():
        if entry["verdict"]["is"] == "Unknown":
            entry["verdict"]["reason"] = "timeout"
    write_sealed(path, data)
    again = few(library, folder)
    assert ({i: type(v) for i, (v, _) in plain(again).items()} == {
        i: type(v) for i, (v, _) in plain(kept[1]).items()
    })
    assert not any(r.cached for r in again.results if not isinstance(r.verdict, Proved))


def test_what_time_cut_off_is_not_kept(library: Library, tmp_path: Path) -> None:
    """Where the clock ends a search, nothing is kept as searched for in vain; what needs no search
    is.
    """
    cut = few(library, tmp_path, search_seconds=1e-9)
    data = sealed(file_of(tmp_path))
    unknown = {f"{r.obligation.transition}/{r.obligation.property}" for r in cut.results
               if isinstance(r.verdict, Unknown)}
    assert unknown and not unknown & data["failures"].keys()
    again = few(library, tmp_path)
    assert not any(r.cached for r in again.results if isinstance(r.verdict, Unknown))


def test_what_was_not_to_be_searched_is_kept_until_it_is(library: Library, tmp_path: Path) -> None:
    """No seconds are a bound, and no clock: what is found within it is kept, and no more than that
    is said of it. With more seconds it is searched.
    """
    def unknown(run: Run) -> dict[str, bool]:
        return {r.obligation.id: r.cached for r in run.results if isinstance(r.verdict, Unknown)}

    bound = few(library, tmp_path, search_seconds=0)
    assert settled(bound) and unknown(bound) and not any(unknown(bound).values())
    for result in bound.results:
        if isinstance(result.verdict, Unknown):
            assert OVER not in result.verdict.detail and "up to 0 steps" in result.verdict.detail
    again = few(library, tmp_path, search_seconds=0)
    assert unknown(again) == dict.fromkeys(unknown(bound), True) and plain(again) == plain(bound)
    more = few(library, tmp_path)
    assert not any(unknown(more).values())
    assert all("up to 2 steps" in r.verdict.detail for r in more.results
               if isinstance(r.verdict, Unknown))


def test_a_program_that_is_edited_while_it_runs_keeps_nothing(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verifier.run.worker, "code", lambda: "edited meanwhile")
    few(library, tmp_path)
    assert not (tmp_path / "proofs").exists()


# What was told.

def inputs_of(folder: Path, command: str = "prove", **given: Any) -> told._Inputs | None:
    asked = {"tree": None, "cross": False, "no_cache": False, "dump_smt": None, "verbose": False,
             "helpers": "yaml", "no_color": True, "jobs": 2, "depth": 8}
    asked |= dict.fromkeys(("json_file", "jsonl_file", "junit_file", "sarif_file")) | given
    context = click.Context(click.Command(command), obj=(folder / "arch", folder / "specs"))
    return told._inputs(context, command, asked)


def test_what_was_told_rests_on_every_file_and_every_option(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = inputs_of(copied)
    assert first is not None and inputs_of(copied, jobs=1) == first
    keys = {first.key}
    for path in sorted([*(copied / "arch").glob("*.yaml"), *(copied / "specs").rglob("*.yaml")]):
        before = path.read_text()
        path.write_text(before + "\n")
        found = inputs_of(copied)
        assert found is not None and found.key not in keys, path
        keys.add(found.key)
        assert first.cover({path: hashlib.sha256(before.encode()).hexdigest()})
        assert not first.cover({path: found.files[path]})  # it was read after the key was made
        path.write_text(before)
    (copied / "specs/transitions/new.yaml").write_text("")
    monkeypatch.setenv("COLUMNS", "33")
    for found in (inputs_of(copied), inputs_of(copied, depth=9), inputs_of(copied, "audit")):
        assert found is not None and found.key not in keys
        keys.add(found.key)
    monkeypatch.setattr(told, "color", lambda given: True)
    colored = inputs_of(copied)
    assert colored is not None and colored.key not in keys
    assert not first.cover({copied / "elsewhere.yaml": "0"})
    assert inputs_of(copied, tree=Path("/")) is None and inputs_of(copied, helpers="kernel") is None


def test_what_was_told_of_theorems_is_told_again_of_the_same_data(copied: Path) -> None:
    """After a comment in another architecture's file, and an edit of a step of another level."""
    words = [sys.executable, "-m", "verifier", "--arch-dir", str(copied / "arch"),
             "--spec-dir", str(copied / "specs"), "prove", "alpha/pte/page-flag/today",
             "--depth", "1", "--no-consequences"]

    def said() -> tuple[str, str]:
        found = subprocess.run(words, env=os.environ | {"XDG_CACHE_HOME": str(copied / "cache")},
                               capture_output=True, text=True, check=False)
        assert found.returncode in (0, 1), found.stderr
        return found.stdout, found.stderr

    first, how = said()
    assert "told from the cache" not in how
    with (copied / "arch/x86.yaml").open("a") as file:
        file.write("# a comment\n")
    edited(copied / "specs/transitions/hugetlb.yaml")
    again, how = said()
    assert again == first and "on the same data and program" in how
    again, how = said()  # and then at once
    assert again == first and "on the same arch/, specs/ and program" in how
    edited(copied / "specs/transitions/fork.yaml")
    assert "told from the cache" not in said()[1]


def test_what_was_told_and_edited_is_not_told(tmp_path: Path) -> None:
    kept = Told(tmp_path, "k" * 64)
    kept.keep("all is proved", 0)
    assert kept.path is not None and (kept.read() or ())[:2] == ("all is proved", 0)
    written = kept.path.read_text()
    for what, text in [*spoilt(written), ("another verdict", written.replace("proved", "proven"))]:
        kept.path.write_bytes(text.encode("utf-8", "surrogateescape"))
        assert kept.read() is None, what
    odd: object
    for odd in (None, [], {"text": "x"}, {"text": None, "exit": 0, "at": "x"},
                {"text": "x", "exit": "0", "at": "x"}):
        write_sealed(kept.path, odd)
        assert kept.read() is None
    other = Told(tmp_path, "l" * 64)
    assert other.path is not None
    other.path.write_text(written)
    assert other.read() is None


# Records, places, judgements.

def test_records_come_back_as_they_were(kept: tuple[Path, Run]) -> None:
    for verdict in [r.verdict for r in kept[1].results] + [Vacuous("x", "y"), Unknown("timeout")]:
        assert from_plain(Verdict, json.loads(json.dumps(to_plain(verdict)))) == verdict
    odd: object
    for odd in ({}, [], {"is": "Refuted"}, {"is": "Proved", "inhabitant": 3},
                {"is": "Vacuous", "instance": "x", "effect": 3},
                {"is": "Vacuous", "instance": "x", "effect": "y", "more": 1}, {"is": ["x"]},
                "Proved", None):
        with pytest.raises(ValueError):
            from_plain(Verdict, odd)
    assert (
        from_plain(int | bool, True) is True and from_plain(tuple[str, int], ["a", 1]) == ("a", 1)
    )
    rows: tuple[tuple[Any, Any], ...] = (
        (int, True), (bool, 1), (tuple[int, ...], [1, "2"]), (tuple[str, int], ["a"]),
        (Mapping[str, int], [["a", "b"]]))
    for kind, odd in rows:
        with pytest.raises(ValueError):
            from_plain(kind, odd)


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, library: Library) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    from verifier.base.errors import ExtractionError
    from verifier.kernel.tree.build_store import cache_folder

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    assert store.cache_folder() is None
    with pytest.raises(ExtractionError, match="set XDG_CACHE_HOME"):
        cache_folder()
    monkeypatch.setattr(digests._Memo, "new", True)
    assert program("verifier.base.errors")
    assert Told(store.cache_folder(), "k").read() is None
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    found = store.cache_folder()
    assert found is not None and found.is_absolute() and cache_folder() == found / "kernel"


def test_a_judgement_of_a_mutant_that_was_edited_is_judged_again(
    library: Library, tmp_path: Path
) -> None:
    path, mutant = tmp_path / "state", Mutant("helper", "x86_64", "pte_dirty", "what", "text",
                                              "place")
    _State(path, library).keep(Judged(mutant, "killed", "x"))
    assert list(_State(path, library).judged) == [mutant.id]
    written = path.read_text()
    for new in (written.replace("killed", "survived"), written.replace("pte_dirty", "pte_young"),
                written[:-9]):
        (tmp_path / "edited").write_text(new)
        assert not _State(tmp_path / "edited", library).judged
    other: Arch = replace(library.archs["x86"], read="x")
    assert not _State(path, replace(library, archs=dict(library.archs) | {"x86": other})).judged
