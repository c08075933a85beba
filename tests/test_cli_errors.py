# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input ends in one line on standard error and exit code 2, at its place.

Never in a traceback.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from verifier.base.data import data_folder
from verifier.cli import main


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def one_line(found: Result) -> str:
    """The line; the exit code, standard output and the exception are as they must be."""
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    assert found.exit_code == 2 and found.stdout == ""
    lines = found.stderr.splitlines()
    assert len(lines) == 1, found.stderr
    return lines[0]


@pytest.mark.parametrize(("args", "message"), [
    (("decode", "x86", "0xzz"), "pteproof: '0xzz'"),
    (("decode", "x86", ""), "pteproof: ''"),
    (("decode", "x86", "PFN"), "pteproof: 'PFN'"),
    (("decode", "x86", "0x1", "-0x1"), None),
    (("decode", "x86", "0x10000000000000000"),
     "pteproof: 0x10000000000000000 has more than 64 bits"),
    (("decode", "x86", "0" * 40 + "g"), "pteproof: '0000"),
    (("decode", "x86-64", "0x1"),
     "pteproof: unknown architecture or variant 'x86-64'; did you mean x86_64?"),
    (("decode", "vax", "0x1"), "pteproof: unknown architecture or variant 'vax'"),
    (("decode", "x86", "0x1", "--encoding", "option-d"),
     "pteproof: unknown encoding 'option-d'; did you mean option-c?"),
    (("call", "x86", "pte_wrprotect(1"), "pteproof: 'pte_wrprotect(1': not of the language"),
    (("call", "x86", "pte_wrprotekt(1)"),
     "pteproof: 'pte_wrprotekt(1)': unknown helper 'pte_wrprotekt'; did you mean pte_wrprotect?"),
    (("call", "x86", "pte=many", "pte_write(pte)"), "pteproof: 'pte=many': 'many' is no number"),
    (("call", "x86", "pte=-1", "pte_write(pte)"), "pteproof: 'pte=-1' has more than 64 bits"),
    (("call", "x86", "pte=1"), "pteproof: no expression to compute"),
    (("call", "x86", "pte=1", "pte = 2"), "pteproof: 'pte = 2' has no value and changes no entry"),
    (("call", "vax", "1"), "pteproof: unknown architecture or variant 'vax'"),
    (("encode", "x86", "PFNN=1"), "pteproof: unknown field or state 'PFNN'; did you mean PFN?"),
    (("encode", "x86", "PFN=many"), "pteproof: 'PFN=many': 'many' is no number"),
    (("encode", "x86", "PRESENT=2"), "pteproof: 'PRESENT=2': PRESENT has 1 bits"),
    (("encode", "x86", "PRESENT=-1"), "pteproof: 'PRESENT=-1': PRESENT has 1 bits"),
    (("encode", "x86", "dirty=2"), "pteproof: 'dirty=2': dirty is 0 or 1"),
    (("encode", "x86", "PRESENT=1", "none=1"),
     "pteproof: no entry of x86_64 has all of PRESENT=1 none=1"),
    (("encode", "x87", "PRESENT"), "pteproof: unknown architecture or variant 'x87'"),
    (("prove", "--arch", "x86-64"),
     "pteproof: --arch x86-64: matches nothing; did you mean x86_64?"),
    (("prove", "--transition", "fork-pt"),
     "pteproof: --transition fork-pt: matches nothing; did you mean fork-pte?"),
    (("prove", "--property", "nothing-*"), "pteproof: --property nothing-*: matches nothing"),
    (("prove", "--code", "tomorrow"), "pteproof: --code tomorrow: matches nothing"),
    (("prove", "--encoding", "option-d"),
     "pteproof: --encoding option-d: matches nothing; did you mean option-c?"),
    (("prove", "--level", "p4d"), "pteproof: --level p4d: matches nothing"),
    (("prove", "--arch", "arm64*", "--encoding", "option-c-saved"),
     "pteproof: the filters together match nothing"),
    (("audit", "--transition", "fork-pt"), "pteproof: --transition fork-pt: matches nothing"),
    (("explain", "x86_64/pte/option-c"),
     "pteproof: 'x86_64/pte/option-c' is no obligation: variant/level/"),
    (("explain", "x86_64/pte/option-c/fork-pt/today/no-lost-dirty"),
     "pteproof: --transition fork-pt: matches nothing"),
    (("list", "helpers", "--arch", "vax"), "pteproof: unknown architecture or variant 'vax'"),
    (("prove", "--helpers", "kernel"),
     "pteproof: --helpers kernel needs --tree DIR and --solver bits"),
    (("mutate", "--kind", "field", "--name", "pte_dirty"),
     "pteproof: no mutant matches pte_dirty"),
    (("--arch-dir", "missing", "list", "archs"),
     "pteproof: missing: no such folder of architectures"),
    (("--spec-dir", "missing", "list", "archs"), "pteproof: missing: no such folder of specs"),
])
def test_wrong_words(args: tuple[str, ...], message: str | None) -> None:
    found = run(*args)
    if message is None:  # click's own words, with its usage
        assert (found.exit_code == 2 and "Traceback" not in found.stderr
                and "Error: No such option" in found.stderr)
    else:
        assert one_line(found).startswith(message), found.stderr


@pytest.mark.parametrize("args", [
    ("prove", "--jobs", "0"), ("prove", "--timeout", "-1"), ("prove", "--depth", "x"),
    ("prove", "--solver", "none"),
    ("list", "nothing"), ("nothing",), ("decode",), ("encode", "x86"), ("--nothing",),
    ("list", "archs", "more"),
])
def test_wrong_use(args: tuple[str, ...]) -> None:
    found = run(*args)
    assert (found.exit_code == 2 and "Error: " in found.stderr.splitlines()[-1]
            and "Traceback" not in found.stderr)


def test_a_result_that_cannot_be_written(tmp_path: Path) -> None:
    wanted = tmp_path / "no" / "folder.json"
    found = run("prove", "--arch", "x86_64", "--encoding", "page-flag", "--transition", "static",
                "--no-cache", "--jobs", "1", "--json", wanted)
    assert one_line(found) == f"pteproof: {wanted}: cannot be written: No such file or directory"


# Files that are wrong: a small architecture of one's own, with one thing changed.

GOOD = """\
arch: mine
read: Linux 6.12
width: 64
ulong: 64
constants: {SHIFT: 12}
features: {has_it: a feature}
variants:
  mine64:
    default: true
    describe: a variant
    features: {has_it: true}
    hardware: [access]
sources: {file: some/file.h}
fields:
  PRESENT: {bits: 0, source: "file:P"}
  ACCESSED: {bits: 5, source: "file:A"}
  PFN: {bits: [12, 51], source: "file:PFN"}
helpers:
  pte_present(pte): {source: "file:pte_present", body: "(pte & PRESENT) != 0"}
  pte_pfn(pte): {source: "file:pte_pfn", body: "(pte & PFN) >> SHIFT"}
  pte_young(pte):
    source: "file:pte_young"
    body: |
      young = (pte & ACCESSED) != 0
      return young and pte_present(pte)
hardware:
  access:
    source: "a manual"
    describe: a walk sets Accessed
    when: pte_present(pte)
    entry: pte | ACCESSED
    catalogue: [H2]
"""


def own_arch(tmp_path: Path, text: str | bytes) -> Result:
    """Types every helper: what `list helpers` and `decode` need."""
    folder = tmp_path / "arch"
    folder.mkdir()
    (folder / "mine.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return run("--arch-dir", folder, "encode", "mine", "young=1", "pfn=0x12")


def test_an_architecture_of_ones_own(tmp_path: Path) -> None:
    found = own_arch(tmp_path, GOOD)
    assert (found.exit_code, found.stdout, found.stderr) == (0, "0000000000012021\n", "")


@pytest.mark.parametrize(("old", "new", "where", "message"), [
    # fields
    ("bits: 5", "bits: 64", "16:20", "bits 64 to 64 are not within an entry of 64 bits"),
    ("bits: 5", "bits: -1", "16:20", "bits -1 to -1 are not within an entry of 64 bits"),
    ("[12, 51]", "[51, 12]", "17:15", "bits 51 to 12 are not within an entry of 64 bits"),
    ("[12, 51]", "[12, 13, 51]", "17:15", "bits is a number, [low, high], or names of constants"),
    ("[12, 51]", "[SHIFFT, 51]", "17:15", "bits is a number, [low, high], or names of constants"),
    ("[12, 51]", "[]", "17:15", "bits is a number, [low, high], or names of constants"),
    ("[12, 51]", "[[12], 51]", "17:15", "bits is a number, [low, high], or names of constants"),
    ("[12, 51]", "[true, 51]", "17:15", "bits is a number, [low, high], or names of constants"),
    ("bits: 5", "bits: 0", "16:3",
     "fields ACCESSED and PRESENT are on one bit; say `shares: [PRESENT]`"),
    ("bits: 5", "bits: 20", "17:3",
     "fields PFN and ACCESSED are on one bit; say `shares: [ACCESSED]`"),
    ("bits: 5,", "bits: 0, shares: [PRESNT],", "16:3",
     "field ACCESSED shares with unknown PRESNT; did you mean PRESENT?"),
    ("bits: 5", "bit: 5", "16:14", "unknown key 'bit' in a field; did you mean bits?"),
    ("bits: 5, ", "", "16:13", "a field has no 'bits'"),
    ('bits: 5, source: "file:A"', "bits: 5", "16:13", "a record has no 'source'"),
    # names, types, calls
    ("(pte & PRESENT) != 0", "(pte & PRESNT) != 0", "19:64",
     "unknown name 'PRESNT'; did you mean PRESENT?"),
    ("(pte & PRESENT) != 0", "(pte & has_it) != 0", "19:64", "is bool, but u64 is needed"),
    ("(pte & PFN) >> SHIFT", "(pte & PFN) >> u8(12)", "20:64", "is u8, but u64 is needed"),
    ("pte_present(pte)\nh", "pte_presnt(pte)\nh", "25:24",
     "unknown helper 'pte_presnt'; did you mean pte_present?"),
    ("pte_present(pte)\nh", "pte_present(young)\nh", "25:36", "is bool, but u64 is needed"),
    ("pte_present(pte)\nh", "pte_present()\nh", "25:24", "pte_present takes 1 arguments, not 0"),
    ("pte_present(pte)\nh", "pte_young(pte)\nh", "25:24",
     "helpers call each other without end: pte_young -> pte_young"),
    ("(pte & PRESENT) != 0", "pte_young(pte)", "25:24",
     "helpers call each other without end: pte_present -> pte_young -> pte_present"),
    ("return young", "return yuong", "25:14", "unknown name 'yuong'; did you mean young?"),
    ("return young", "import young", "25:20", "not of the language: invalid syntax"),
    ("young = (", "young == (", "24:7", "does nothing"),
    ("pte_young(pte):", "pte_young(pte, x:u200):", "21:3", "unknown type of parameter 'x'"),
    ("pte_young(pte):", "pte_young(pte:", "", ""),
    ("pte_pfn(pte)", "pte_young(ptep)", "21:3", "helper pte_young stands twice"),
    # keys
    ("helpers:", "helper:", "18:1",
     "unknown key 'helper' in an architecture; did you mean helpers?"),
    ("    body: |", "    bodi: |", "23:5", "unknown key 'bodi' in a helper; did you mean body?"),
    ("read: Linux 6.12\n", "", "1:1", "an architecture has no 'read'"),
    ("arch: mine", "arch: yours", "1:7", "the file is called mine, not yours"),
    ("width: 64", "width: 48", "9:5", "an entry has 32, 64 or 128 bits, not 48"),
    ("width: 64", "width: wide", "3:8", "'width' must be a number"),
    ("constants: {SHIFT: 12}", "constants: {SHIFT: twelve}", "5:20", "'SHIFT' must be a number"),
    ("{has_it: true}", "{}", "8:3", "variant mine64 does not say whether it has has_it"),
    ("{has_it: true}", "{has_it: yes}", "11:24", "'yes' would be read as a bool"),
    ("{has_it: true}", "{has_it: true, hasit: true}", "11:30", "unknown key 'hasit'"),
    ("hardware: [access]", "hardware: [acess]", "12:15",
     "unknown event 'acess'; did you mean access?"),
    ("    entry: pte | ACCESSED", "    entry: pte | ACCESSED\n    past_flush: true", "",
     "only what stores late can store past a flush"),
    ("ulong: 64", "width: 64", "4:1", "key 'width' stands twice; first at line 3"),
    # no YAML
    ("fields:", "fields: [", "", "not YAML: "), ("fields:", "\tfields:", "14:1", "not YAML: "),
    ("fields:", "fields: &all", "14:9", "anchors and aliases are not allowed"),
    ("fields:", "fields: !!map", "14:9", "tags such as"),
])
def test_a_wrong_architecture(tmp_path: Path, old: str, new: str, where: str, message: str) -> None:
    assert GOOD.count(old) == 1
    line = one_line(own_arch(tmp_path, GOOD.replace(old, new)))
    assert re.match(r"\S*arch/mine\.yaml:\d+:\d+: error: ", line), line
    place, _, text = line.partition(": error: ")
    assert where in ("", place.split("mine.yaml:")[1]), line
    assert text.startswith(message), line


@pytest.mark.parametrize(("text", "where", "message"), [
    ("", "1:1", "must be a mapping"), ("just words\n", "1:1", "must be a mapping"),
    ("- a\n", "1:1", "must be a mapping"),
    (b"\x7fELF\0\0\xff\xfe", "1:1", "is not UTF-8"), ("a: [" + "[" * 100_000, "", "line is longer"),
    (("[" * 4000 + "\n") * 100, "1:26", "nests deeper than 24"),
    ("a: 1\n" * 10, "2:1", "key 'a' stands twice"),
    (b"a: " + b"x" * (10 << 20), "1:1", "is larger than"),
])
def test_no_architecture_at_all(tmp_path: Path, text: str | bytes, where: str,
                                message: str) -> None:
    line = one_line(own_arch(tmp_path, text))
    place, _, rest = line.partition(": error: ")
    assert where in ("", place.split("mine.yaml:")[1]) and rest.startswith(message), line


def test_an_empty_folder_and_two_of_one_name(tmp_path: Path) -> None:
    assert (one_line(run("--arch-dir", tmp_path, "list", "archs")) == f"pteproof: {tmp_path}: "
                                                                      "holds no architecture")
    (tmp_path / "mine.yaml").write_text(GOOD)
    (tmp_path / "other.yaml").write_text(GOOD.replace("arch: mine", "arch: other"))
    line = one_line(run("--arch-dir", tmp_path, "list", "archs"))
    assert ("other.yaml:8:3: error: variant mine64 stands already at " in line
            and line.endswith("mine.yaml:8:3"))


# Specs.

@pytest.mark.parametrize(("file", "old", "new", "place", "message"), [
    ("transitions/fork.yaml", "maps(parent)\", because", "mapps(parent)\", because", r"\d+:20",
     "unknown helper 'mapps'; did you mean maps?"),
    ("transitions/fork.yaml", "roles: [parent, child]", "rolls: [parent, child]", r"\d+:3",
     "unknown key 'rolls' in a transition; did you mean roles?"),
    ("transitions/fork.yaml", "    today: |", "    to-day: |", r"\d+:5",
     "unknown key 'to-day' in the codes"),
    ("world.yaml", "swapcache: {type: bool", "swapcache: {type: boole", r"",
     "variable swapcache has unknown type 'boole'"),
    ("world.yaml", "granted[p] = True\n  give_up", "granted[p] = 1\n  give_up", r"\d+:18",
     "is u64, but bool is needed"),
    ("world.yaml", "kernel: \"include/linux/mm.h:folio_maybe_dma_pinned\"", "kernal: \"x\"",
     r"\d+:5", "unknown key 'kernal' in an observation; did you mean kernel?"),
    ("world.yaml", "names_frame(e, frame:ulong): pte",
     "names_frame(e, frame:ulong): maps(0) and pte", r"\d+:\d+",
     "names_frame calls itself"),
    ("world.yaml", "views:\n",
     "views:\n" + "".join(f"  v{i}(e): v{i + 1}(e)\n" for i in range(300)), "",
     "definitions nest too deep"),
    # what would be overruled, or read by nothing
    ("world.yaml", "views:\n", "views:\n  maps(e): pte_present(e)\n", r"\d+:3",
     "maps stands twice"),
    ("world.yaml", "actions:\n", "actions:\n  refers(p:process): pass\n", r"\d+:3",
     "refers stands twice"),
    ("world.yaml", "  maybe_pinned():\n", "  unmapped(e):\n    kernel: x\n  maybe_pinned():\n",
     r"\d+:3", "unmapped stands twice"),
    ("world.yaml", "truth:\n", "truth:\n  ksm: {type: bool, describe: x}\n", r"\d+:3",
     "ksm stands twice"),
    ("encodings/page-flag.yaml", "definitions:\n", "definitions:\n  maps(e): pte_present(e)\n",
     r"\d+:3", "maps stands twice"),
    ("encodings/page-flag.yaml", "encoding: page-flag", "encoding: option-c", r"\d+:11",
     "the file is called page-flag, not option-c"),
    ("transitions/fork.yaml", "uffd_wp: \"after", "uffd_wpp: \"after", r"\d+:1",
     "fork-pte names unknown component 'uffd_wpp'; did you mean uffd_wp?"),
    ("transitions/fork.yaml", "uffd_wp: \"after", "uffd_wp: \"aftr", r"\d+:15",
     "unknown name 'aftr'; did you mean after?"),
    ("transitions/fork.yaml", "{child: parent}", "{child: parnt}", r"\d+:1",
     "fork-pte names unknown role 'parnt'"),
    ("transitions/fork.yaml", "  roles: [parent, child]\n",
     "  roles: [parent, child]\n  inputs: {parent: bool}\n", r"\d+:1",
     "fork-pte has a role and an input parent"),
    ("transitions/fork.yaml", "dirties: share", "dirties: shared", r"\d+:1",
     "fork-migration-entry names unknown cause 'shared'; did you mean share?"),
    ("transitions/fork.yaml", "begin_fork(parent)", "x = entry[parent + 5] == 0", r"\d+:17",
     "an index is a name, a number or other(p)"),
    ("world.yaml", "others(p), \"store-leak\"", "others(p), \"store-leek\"", r"\d+:5",
     "unknown property 'store-leek'; did you mean store-leak?"),
    ("properties.yaml", "kind: invariant", "kind: invariante", r"\d+:\d+",
     "a property is invariant, lemma, step"),
    ("encodings/page-flag.yaml", "codes: [today", "codes: [todai", r"\d+:\d+",
     "unknown code 'todai'; did you mean today?"),
    ("codes.yaml", "else: today", "else: tomorrow", r"\d+:11",
     "no code 'tomorrow' stands before thread"),
    ("properties.yaml", "pin-stays:", "reaches-pin:", r"\d+:1",
     "reaches-... begins the names of steps' effects: no property may be called so"),
    # levels
    ("levels/pmd.yaml", "beside: pte", "beside: hugetlb", r"5:1",
     "a level stands beside pte or alone"),
    ("levels/pmd.yaml", "  huge: {type: bool, each: true", "  huge: {type: bool", r"5:1",
     "a level beside another has the variable huge of each process, and none else"),
    ("levels/pmd.yaml", "  real_swap(e): ", "  real_swop(e): ", r"\d+:3",
     "real_swop(e) replaces no definition of the world; did you mean real_swap?"),
    # why a sentence is assumed, and of what a step is about
    ("transitions/fault.yaml", "only: traces", "only: proofs", r"\d+:13",
     "`only` is traces, not 'proofs'"),
    ("transitions/fault.yaml", "tracks: [new, old]", "tracks: [new, own]", r"\d+:11",
     "what is tracked is the old page or the new one, not 'own'"),
    ("world.yaml", """        because: >-
          a pin adds to the count that folio_maybe_dma_pinned reads; false positives exist, false
          negatives do not
""", "", r"\d+:17", "axiom pinned-shows does not say why: `because`"),
    # texts
    ("world.yaml", "  hardware_event(p:process, after, stores:bool): |",
     "  hardware_event(p:process, after, stores:bool, b:bool): |", r"1:1",
     "no procedure hardware_event(p:process, after, stores:bool)"),
    ("world.yaml", "procedures:\n",
     "procedures:\n  odd(p:process): |\n    q = p if maps(p) else other(p)\n",
     r"\d+:\d+", "is an index; only parameters and loops have them"),
    ("world.yaml", "procedures:\n",
     "procedures:\n  odd(p:process): |\n    x = entry[other(p, p)]\n", r"\d+:\d+",
     "other(p) takes one process"),
    # flushes
    ("world.yaml", "  ptep_clear_flush(p:process, old):",
     "  ptep_clear_flush(p:process, old, b:bool):", r"\d+:3",
     "takes the process, and what ptep_clear_flush returns of its entry: u64; or the entry before "
     "and after the call"),
    ("world.yaml", "  ptep_clear_flush(p:process, old):", "  pte_dirty(p:process, old):",
     r"\d+:3", "pte_dirty is given no entry, or several"),
    ("catalogue.yaml", "      not: \"no anonymous page: no reader of exclusivity asks\"",
     "      later: x\n      not: \"no anonymous page: no reader of exclusivity asks\"", r"\d+:7",
     "row T20 says 'not' and 'later': one of them is wrong"),
])
def test_wrong_specs(tmp_path: Path, file: str, old: str, new: str, place: str,
                     message: str) -> None:
    folder = tmp_path / "specs"
    shutil.copytree(data_folder("specs"), folder)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    found = run("--spec-dir", folder, "prove", "--arch", "x86_64", "--encoding", "page-flag",
                "--jobs", "1")
    line = one_line(found)
    assert (re.match(rf"specs/{file}:{place or '[0-9]+:[0-9]+'}: error: {re.escape(message)}",
                     line)), line


def test_as_a_process(tmp_path: Path) -> None:
    """Not only inside click's runner: the interpreter adds nothing of its own."""
    folder = tmp_path / "arch"
    folder.mkdir()
    (folder / "mine.yaml").write_text(GOOD.replace("bits: 5", "bits: 99"))
    for args, message in (
        (["--arch-dir", str(folder), "encode", "mine", "young=1"],
         "mine.yaml:16:20: error: bits 99 to 99"),
        (["decode", "x86", "0xzz"], "pteproof: '0xzz'"),
        (["prove", "--arch", "vax"], "pteproof: --arch vax: matches nothing"),
    ):
        found = subprocess.run([sys.executable, "-W", "error", "-m", "verifier.cli", *args],
                               capture_output=True, text=True, timeout=60, check=False)
        assert found.returncode == 2 and found.stdout == ""
        assert len(found.stderr.splitlines()) == 1 and message in found.stderr
