# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutated files: whatever is wrong with a file of arch/ or specs/, loading it ends in one
PteproofError, and soon.
"""

from __future__ import annotations

import random
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sample import sampled

from verifier.base.data import data_folder
from verifier.base.errors import PteproofError, Where
from verifier.blocks.contpte import load_contpte
from verifier.blocks.model import BlockModel, check_blocks
from verifier.blocks.read import load_blocks
from verifier.evidence.mutate.command import explanations
from verifier.evidence.mutate.rules import read_rules
from verifier.halves.model import WordModel
from verifier.halves.read import load_two_words
from verifier.language.parse import parse_function, parse_signature
from verifier.language.read_yaml import Source
from verifier.meeting.sites import load_claims
from verifier.model.arch import Layout
from verifier.model.catalogue import load_catalogue
from verifier.model.check import check_model
from verifier.model.laws import load_laws
from verifier.model.read_arch import load_archs, load_generic
from verifier.model.read_specs import load_spec
from verifier.model.typed import Model
from verifier.races.read_races import load_races
from verifier.run.filters import Filters
from verifier.run.library import Library, load_library
from verifier.run.messages import Contradicts, Done, Task
from verifier.run.plan import groups_of
from verifier.run.worker import work
from verifier.search.sequences import FILE, read_sequences

LIMIT = 2.0  # seconds for one mutant
# mutants of one file, where few are refused: what a few random ones hit changes with every edit of
# the file
MOST = 200
ARCHS = sorted(path.name for path in data_folder("arch").glob("*.yaml"))
SPECS = sorted(
    str(path.relative_to(data_folder("specs"))) for path in data_folder("specs").rglob("*.yaml")
)
LAWS = {name: (data_folder("specs") / name).read_bytes() for name in ("laws.yaml", "traits.yaml")}
PROVED = ("arch/nios2.yaml", "arch/x86.yaml", "arch/generic.yaml", "specs/world.yaml",
          "specs/properties.yaml", "specs/encodings/page-flag.yaml", "specs/levels/hugetlb.yaml",
          "specs/transitions/fork.yaml")
WORDS = re.compile(rb"[A-Za-z_][A-Za-z_0-9]*")
NUMBERS = re.compile(rb"\b(0x[0-9a-f]+|[0-9]+)\b")
SPICE = [
    b"\t", b"\0", b"\xff", b"\xe2\x80\xa8", b"&a ", b"*a", b"<<: ", b"!!python/name:os.system ",
    b"yes", b"~", b"---\n",
    b"? ", b"- ", b"[", b"]", b"{", b"}", b"'", b'"', b"|", b">-", b": ", b"#", b"\\", b"\r", b"(",
    b")", b"\xc3\xa9", b"lambda: 0", b".x", b" if ", b" else ", b"**", b"@", b"`", b"0x", b"1_0",
    b"0b1", b"1e9", b"-1", b"None", b"...",
    b"2" * 30, b"not ", b" and ", b" = ", b" == ", b"pte", b"ptep", b"entry[p]", b"entry[p + 5]",
    b"hardware(ptep)",
    b"other(p)", b"for i in range(9): ", b"return ", b"u64(", b"bool", b":bool", b":process",
    b"u128", b"True", b"was_",
]


def mutate(rng: random.Random, raw: bytes) -> bytes:
    """A copy with one to three changes."""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        raw = rng.choice(MUTATIONS)(rng, raw)
    return raw


def _flip(rng: random.Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw) + 1)
    return raw[:at] + bytes([rng.randrange(256)]) + raw[at + 1:]


def _flip_bit(rng: random.Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(7)]) + raw[at + 1:]


def _cut(rng: random.Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw))
    return raw[:at] + raw[at + rng.choice([1, 1, 2, 5, 40]):] + b" "


def _line(rng: random.Random, raw: bytes) -> bytes:
    lines = raw.splitlines(keepends=True)
    at, to = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(5)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, lines[at])
    elif kind == 2:
        lines[at], lines[to] = lines[to], lines[at]
    elif kind == 3:
        lines.insert(at, lines[to])
    else:
        lines[at] = (b" " * rng.randrange(1, 5) + lines[at] if rng.random() < 0.5
                     else lines[at][rng.randrange(1, 5):])
    return b"".join(lines) or b" "


def _word(rng: random.Random, raw: bytes) -> bytes:
    found = list(WORDS.finditer(raw))
    if len(found) < 2:
        return raw
    one, two = rng.choice(found), rng.choice(found)
    return raw[:one.start()] + two[0] + raw[one.end():]


def _number(rng: random.Random, raw: bytes) -> bytes:
    found = list(NUMBERS.finditer(raw))
    if not found:
        return raw
    one = rng.choice(found)
    new = rng.choice([0, 1, -1, 2, 63, 64, 65, 127, 129, 4096, 1 << 31, 1 << 64, 1 << 130])
    return raw[:one.start()] + str(new).encode() + raw[one.end():]


def _spice(rng: random.Random, raw: bytes) -> bytes:
    found = [m.start() for m in WORDS.finditer(raw)] or [0]
    at = rng.choice(found) if rng.random() < 0.6 else rng.randrange(len(raw) + 1)
    return raw[:at] + rng.choice(SPICE) + raw[at:]


MUTATIONS = (_flip, _flip_bit, _cut, _line, _line, _word, _word, _number, _spice, _spice)


class Outcomes:
    """How many mutants were refused, and how many still load; anything else is a defect."""

    def __init__(self) -> None:
        self.refused = self.loaded = 0
        self.messages: set[str] = set()

    def of(self, load: Callable[[], object], label: str) -> None:
        start = time.process_time()
        try:
            load()
            self.loaded += 1
        except PteproofError as error:
            self.refused += 1
            self.messages.add(re.sub(r"[0-9'\"].*", "", str(error).partition("error: ")[2]))
            assert len(str(error).splitlines()) == 1, f"{label}: {error}"
        except Exception as error:
            raise AssertionError(f"{label}: {type(error).__name__}: {error}") from error
        seconds = time.process_time() - start
        assert seconds < LIMIT, f"{label} took {seconds:.1f} s"

    def enough(self, refused: int, loaded: int, messages: int) -> bool:
        """Were so many refused, in so many words, and did so many load?"""
        return self.refused >= refused and self.loaded >= loaded and len(self.messages) >= messages


def check_archs(folder: Path) -> None:
    """As a run does it: load all, type the helpers of every variant under every overlay."""
    generic = load_generic(folder)
    for arch in load_archs(folder).values():
        for variant in arch.variants.values():
            for overlay in (None, *arch.overlays):
                Layout(arch, variant, generic, overlay).check()


@pytest.mark.parametrize("name", sampled(ARCHS, ARCHS[::3]))
def test_mutated_architectures(name: str, tmp_path: Path, whole: bool) -> None:
    folder = tmp_path / "arch"
    shutil.copytree(data_folder("arch"), folder)
    arch = load_archs(folder).get(Path(name).stem)
    needed = {"x86.yaml"} if arch is None else {f"{base}.yaml" for base in arch.like}
    for other in ARCHS:
        if other not in (name, "generic.yaml", *needed):
            (folder / other).unlink()
    raw = (folder / name).read_bytes()
    check_archs(folder)
    rng, outcomes, number = random.Random(name), Outcomes(), 0
    while number < (30 if whole else 15) or (number < MOST and not outcomes.enough(11, 2, 6)):
        (folder / name).write_bytes(mutate(rng, raw))
        outcomes.of(lambda: check_archs(folder), f"mutant {number} of {name}")
        number += 1
    assert outcomes.enough(11, 2, 6)


def prove_some(library: Library, rng: random.Random, file: str, label: str) -> bool:
    """Prove a few steps of one group, as a worker does: it tells verdicts, or one error of the
    user's, and dies of nothing.
    """
    stem, (groups, _) = Path(file).stem, groups_of(library, Filters())
    wanted = [g for g in groups if stem in (g.encoding, g.level)] or groups
    if not wanted:
        return False
    group = rng.choice(wanted)
    original, said = load_library().spec.transitions, list[object]()
    changed = [
        t for t, record in library.spec.transitions.items() if repr(record) != repr(original.get(t))
    ]
    steps = (*rng.sample(sorted(library.spec.transitions), 2), *changed[:2], "init", "static")
    try:
        library.check([group])
        work(library, Task((group,), Filters(transition=steps), depth=1, search_seconds=2),
             said.append)
    except PteproofError:
        return False
    except Exception as error:
        raise AssertionError(f"{label}: {group}: {type(error).__name__}: {error}") from error
    wrong = [what for what in said if isinstance(what, Contradicts)]
    assert not wrong, f"{label}: {group}: {wrong[0]}"
    return any(isinstance(what, Done) for what in said)


@pytest.mark.parametrize("file", PROVED)
def test_mutants_that_load_are_proved(file: str, tmp_path: Path) -> None:
    """Whatever loads is decided, or refused in one line: no worker dies of it."""
    for folder in ("arch", "specs"):
        shutil.copytree(data_folder(folder), tmp_path / folder)
    for other in ARCHS:
        own = "x86.yaml" if file.startswith("specs") or "generic" in file else Path(file).name
        if other not in (own, "generic.yaml"):
            (tmp_path / "arch" / other).unlink()
    raw = (tmp_path / file).read_bytes()
    rng = random.Random(file)
    for mutant in range(60):
        (tmp_path / file).write_bytes(mutate(rng, raw))
        try:
            library = load_library(tmp_path / "arch", tmp_path / "specs")
        except PteproofError:
            continue
        if prove_some(library, rng, file, f"mutant {mutant} of {file}"):
            return
    raise AssertionError("no mutant loads")


def check_specs(folder: Path, library: Library, variant: str, encoding: str) -> None:
    explanations(folder)
    for name, shipped in LAWS.items():
        if (folder / name).read_bytes() == shipped:
            continue
        layout = library.layout(variant)
        for law in load_laws(folder / name):
            if law.level == "pte":
                key = parse_signature(law.key.text.replace("-", "_"), law.key.where, layout)
                parse_function(key, law.holds, layout)
        return
    spec = load_spec(folder)
    catalogue = load_catalogue(folder, spec.transitions.values(), library.archs.values())
    load_claims(folder, catalogue)
    read_rules(folder, spec)
    record = spec.encodings.get(encoding) or next(iter(spec.encodings.values()))
    # else nothing asks for it
    if record.overlay in (None, *library.archs[library.variant(variant).arch].overlays):
        check_model(Model(spec, library.layout(variant, record.overlay), record))


def check_worlds(folder: Path, library: Library, variant: str, encoding: str) -> None:
    """What has a world of its own: blocks of entries, contiguous ones too, races, and
    entries of two words.
    """
    load_races(folder)
    WordModel(load_two_words(folder), library.model("x86_32-pae", encoding))
    blocks = load_blocks(folder, library.spec)
    for one in blocks.spec.encodings.values():
        check_blocks(BlockModel(blocks.spec, library.layout(variant), one, 2))
    contpte = load_contpte(folder, blocks)
    for code in contpte.blocks.spec.codes:
        own = contpte.as_of(code).spec
        for one in own.encodings.values():
            check_blocks(BlockModel(own, library.layout("arm64-4k"), one, 2, contpte.folds))


@pytest.mark.parametrize("name", sampled(SPECS, SPECS[::3]))
def test_mutated_specs(name: str, tmp_path: Path, whole: bool) -> None:
    library = load_library()
    folder = tmp_path / "specs"
    shutil.copytree(data_folder("specs"), folder)
    raw = (folder / name).read_bytes()
    encoding = Path(name).stem if name.startswith("encodings") else "page-flag"
    check = check_worlds if name.startswith(("blocks", "races", "two-words")) else check_specs
    check(folder, library, "x86_64+shstk", encoding)
    rng, outcomes, number = random.Random(name), Outcomes(), 0
    while number < (20 if whole else 10) or (number < MOST and not outcomes.enough(3, 1, 2)):
        (folder / name).write_bytes(mutate(rng, raw))
        outcomes.of(lambda: check(folder, library, "x86_64+shstk", encoding),
                    f"mutant {number} of {name}")
        number += 1
    assert outcomes.enough(3, 1, 2)


def test_mutated_hints(tmp_path: Path) -> None:
    raw = (data_folder("hints") / FILE).read_bytes()
    rng, outcomes = random.Random(FILE), Outcomes()
    for number in range(40):
        (tmp_path / FILE).write_bytes(mutate(rng, raw))
        outcomes.of(lambda: read_sequences(tmp_path), f"mutant {number} of {FILE}")
    assert outcomes.enough(3, 1, 2)


@pytest.mark.parametrize("arch", ["x86", "arm64"])
def test_mutated_helpers(arch: str) -> None:
    """The language alone, which is faster: bodies and signatures of helpers."""
    library = load_library()
    layout = library.layout(library.variant(arch).name)
    layout.check()
    texts = [layout.text(name) for name in layout.helpers()]
    rng, outcomes = random.Random(arch), Outcomes()
    at = Where("some.yaml", 1, 1)
    for number in range(3000):
        text = rng.choice(texts)
        key, body = text.key.encode(), text.body.text.encode()
        if rng.random() < 0.2:
            key = mutate(rng, key)
        else:
            body = mutate(rng, body)
        words = (key.decode("utf-8", "replace"), body.decode("utf-8", "replace"))

        def load(key: str = words[0], body: str = words[1]) -> None:
            parse_function(parse_signature(key, at, layout), Source(body, at), layout)

        outcomes.of(load, f"mutant {number}: {words!r}")
    assert outcomes.refused > 1200 and outcomes.loaded > 300 and len(outcomes.messages) > 30
