# SPDX-License-Identifier: GPL-2.0-or-later
"""Forged certificates, each with the message that it gets.

The forger makes all digests anew, and proofs where there are any.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from certificates import FILTERS, GROUP, UNIT, Forger, certify

from verifier.base.errors import UsageError
from verifier.evidence.certify.check import find_checker
from verifier.evidence.certify.files import INDEX, unit_path
from verifier.evidence.certify.verify import Report, verify
from verifier.run.library import Library


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates") / "c"
    result = certify(folder, *FILTERS)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "c"))


def told_by(folder: Path, library: Library | None) -> Report | str:
    """The report, or the one error where the whole folder is refused."""
    try:
        return verify(folder, find_checker(), library)
    except UsageError as error:
        return str(error)


# Edits of one unit that its files alone show.

def with_units(*units: int) -> Callable[[Forger], None]:
    def forge(f: Forger) -> None:
        f.clauses[-1:-1] = [[u] for u in units]
        f.proof = "0\n"
    return forge


def input_fixed(f: Forger) -> None:
    bit = next(b for bits in f.told["inputs"].values() for b in bits if b)
    f.clauses.insert(1, [bit])


def defined_twice(f: Forger) -> None:
    """The first gate once more, complemented: both definitions together are a contradiction."""
    own, x, y = -f.clauses[1][0], f.clauses[1][1], f.clauses[2][1]
    f.clauses[4:4] = [-own, -x], [-own, y], [own, x, -y]
    f.proof = "0\n"


def by_itself(f: Forger) -> None:
    """A gate that depends on what comes behind it may have no value at all."""
    own, y, last = -f.clauses[1][0], f.clauses[2][1], f.told["variables"]
    f.clauses[1:4] = [-own, -last], [-own, y], [own, last, -y]


def half_a_gate(f: Forger) -> None:
    del f.clauses[3]


def cut_off(f: Forger) -> None:
    del f.clauses[-2]


def violation(*literals: int) -> Callable[[Forger], None]:
    def forge(f: Forger) -> None:
        f.clauses[-1] = list(literals)
        f.proof = "0\n"
    return forge


def negated(f: Forger) -> None:
    f.clauses[-1] = [-x for x in f.clauses[-1]]


def shorter(f: Forger) -> None:
    f.clauses[-1] = f.clauses[-1][1:]


def all_one_variable(f: Forger) -> None:
    for o in f.told["obligations"]:
        o["violated"] = 1
    f.clauses[-1] = [1 for _ in f.told["obligations"]]


def swapped_names(f: Forger) -> None:
    """What is assumed is called violated, and the other way round."""
    label = next(iter(f.told["assumed"]))
    first = f.told["obligations"][0]
    f.told["assumed"][label], first["violated"] = first["violated"], f.told["assumed"][label]
    f.clauses[-1][0] = first["violated"]


def inhabitants(value: object) -> Callable[[Forger], None]:
    def forge(f: Forger) -> None:
        for values in f.told["inhabitants"].values():
            values |= dict.fromkeys(values, value)
    return forge


def no_inhabitant(f: Forger) -> None:
    f.told["inhabitants"].popitem()


def gate_as_input(f: Forger) -> None:
    """A forger who may choose a gate's value satisfies anything."""
    f.told["inputs"]["more"] = [-f.clauses[1][0]]
    for values in f.told["inhabitants"].values():
        values["more"] = 1


def other_proof(f: Forger) -> None:
    f.proof = f.text("drat", f"{GROUP}/init")


def no_proof(f: Forger) -> None:
    f.proof = "0\n"


IN_FILES: dict[str, tuple[Callable[[Forger], None], str]] = {
    "clauses that contradict each other": (with_units(5, -5),
                                           "is neither part of a definition nor the violation"),
    "an added unit clause": (with_units(9), "is neither part of a definition nor the violation"),
    "an input that is fixed": (input_fixed, "is neither part of a definition nor the violation"),
    "a gate defined twice": (defined_twice, "again, or out of order, or by what comes behind it"),
    "a gate defined by what comes behind it": (
        by_itself, "again, or out of order, or by what comes behind it"
    ),
    "half a gate": (half_a_gate, "is neither part of a definition nor the violation"),
    "half a name": (cut_off, "is neither part of a definition nor the violation"),
    "no constant": (lambda f: f.clauses.__delitem__(0),
                    "clause 1 does not say that variable 1 is false"),
    "the constant true": (lambda f: f.clauses.__setitem__(0, [1]),
                          "clause 1 does not say that variable 1 is false"),
    "a violation that is false": (
        violation(1), "does not say that one of the obligations is violated"
    ),
    "a violation that is negated": (
        negated, "does not say that one of the obligations is violated"
    ),
    "a violation of fewer": (shorter, "does not say that one of the obligations is violated"),
    "one variable for all violations": (
        all_one_variable, "that are named are not those of assumptions and obligations"
    ),
    "assumptions and violations swapped": (
        swapped_names, "that are named are not those of assumptions and obligations"
    ),
    "nothing assumed": (lambda f: f.told.update(assumed={}), "no set of assumptions is named"),
    "an inhabitant that does not satisfy": (inhabitants(0), "does not satisfy what is assumed"),
    "an inhabitant out of range": (inhabitants(1 << 64), "is no value of the input"),
    "an inhabitant below 0": (inhabitants(-1), "is no value of the input"),
    "an inhabitant that is no number": (inhabitants(True), "is no value of the input"),
    "a missing inhabitant": (no_inhabitant, "some set of assumptions has no inhabitant"),
    "a gate told as an input": (
        gate_as_input, "the inputs are not the variables that nothing defines"
    ),
    "the proof of another unit": (other_proof, " says "),
    "no proof": (no_proof, " says "),
    "a proof that is none": (lambda f: setattr(f, "proof", "hello\n"), "the proof is not DRAT"),
    "a proof with another clause hidden": (lambda f: setattr(f, "proof", "1 0 0\n0\n"),
                                           "the proof is not DRAT"),
    "no obligation": (lambda f: f.told.update(obligations=[]), "listed twice, or not at all"),
    "an obligation told twice": (lambda f: f.told["obligations"].append(f.told["obligations"][0]),
                                 "listed twice"),
    "an empty claim": (lambda f: f.told["obligations"][0].update(claim=""), "claims nothing"),
    "more told": (lambda f: f.told.update(note="trust me"), "it has other keys"),
}


@pytest.mark.parametrize("name", IN_FILES)
def test_what_the_files_alone_show(copy: Path, name: str) -> None:
    forge, message = IN_FILES[name]
    forger = Forger(copy)
    forge(forger)
    forger.write()
    report = told_by(copy, None)
    assert (isinstance(report, Report) and list(report.wrong) == [UNIT]
            and message in report.wrong[UNIT]), report


# Forgeries that fit together, which only the specs show. `library` makes honest units of other
# steps.

def nothing_violated(f: Forger, library: Library) -> None:
    """A changed gate: every violation is false, so the proof is easy."""
    for o in f.told["obligations"]:
        f.name(o["violated"], 1)
    f.prove()


def too_much_assumed(f: Forger, library: Library) -> None:
    """The violations hold under a contradiction, and what is called assumed is something else that
    has an inhabitant.
    """
    nothing_violated(f, library)
    for variable in f.told["assumed"].values():
        f.name(variable, -1)
    f.prove()


def one_gate(f: Forger, library: Library) -> None:
    """The first violation is not one any more, all others are."""
    f.name(f.told["obligations"][0]["violated"], 1)
    f.prove()


def other_variant(f: Forger, library: Library) -> None:
    f.become(library, "x86_64+shstk/pte/option-c/today/clear-young")


def other_step(f: Forger, library: Library) -> None:
    f.become(library, f"{GROUP}/take-reference")


def under_another_name(f: Forger, library: Library) -> None:
    """Nobody asked for that step; see also the next."""
    f.rename(f"{GROUP}/zap")


def asked_for_under_another_name(f: Forger, library: Library) -> None:
    f.rename(f"{GROUP}/zap")
    for o in f.told["obligations"]:
        o["claim"] = o["claim"].replace("after clear-young", "after zap")
    f.index["asked"]["transition"] = ["zap", "init"]
    f.index["not_certified"] = {}


def renamed_property(f: Forger, library: Library) -> None:
    first = f.told["obligations"][0]
    first["id"] = first["id"].rpartition("/")[0] + "/no-such-property"


def dropped_obligation(f: Forger, library: Library) -> None:
    """Consistently: told no more, and the violation is one of the others."""
    gone = f.told["obligations"].pop()["violated"]
    assert gone == f.told["variables"]
    f.clauses[-3:] = [f.clauses[-1][:-1]]
    f.prove()


def certified_and_not(f: Forger, library: Library) -> None:
    f.index["not_certified"][f.told["obligations"][0]["id"]] = "refuted"


def changed_claim(f: Forger, library: Library) -> None:
    f.told["obligations"][0]["claim"] = "On x86_64, no data is ever lost."


def swapped_claims(f: Forger, library: Library) -> None:
    one, two = f.told["obligations"][:2]
    one["claim"], two["claim"] = two["claim"], one["claim"]


def changed_smt(f: Forger, library: Library) -> None:
    f.smt2 = f.smt2.replace("(assert ", "(assert (and false ",
                            1).replace("\n(check-sat)", ")\n(check-sat)", 1)


def weaker_smt(f: Forger, library: Library) -> None:
    f.smt2 = "(check-sat)\n"


def swapped_inputs(f: Forger, library: Library) -> None:
    one, two = [name for name, bits in f.told["inputs"].items() if len(bits) == 1][:2]
    f.told["inputs"][one], f.told["inputs"][two] = f.told["inputs"][two], f.told["inputs"][one]
    f.prove()


def removed(f: Forger, library: Library) -> None:
    f.remove()


def moved_to_strangers(f: Forger, library: Library) -> None:
    f.index["not_certified"]["x86_64/pte/option-c/no-such-step/today/frame"] = "proved"


def called_shown(f: Forger, library: Library) -> None:
    """What is shown needs no certificate; a property is not shown."""
    f.index["shown"] += [o["id"] for o in f.told["obligations"]]


def not_shown(f: Forger, library: Library) -> None:
    assert f.index["shown"]
    f.index["shown"] = []


def unfolded(f: Forger, library: Library) -> None:
    f.index["graph"] = "nothing folded"


AGAINST_SPECS: dict[str, tuple[Callable[[Forger, Library], None], str]] = {
    "violations that are constant false": (nothing_violated,
                                           "the gates are not those of its obligations: clause "),
    "assumptions too strong, a false inhabitant": (
        too_much_assumed, "the gates are not those of its obligations: clause "
    ),
    "one changed gate": (one_gate, "the gates are not those of its obligations: clause "),
    "another variant's gates": (
        other_variant, "the gates are not those of its obligations: clause "
    ),
    "another step's gates": (other_step, "the gates are not those of its obligations: clause "),
    "a unit under another name": (under_another_name, "the run has no such unit"),
    "a unit under another name that is asked for": (asked_for_under_another_name,
                                                    "the gates are not those of its obligations"),
    "a renamed property": (renamed_property, "has neither a certificate nor a verdict"),
    "an obligation dropped": (dropped_obligation, "has neither a certificate nor a verdict"),
    "an obligation certified and not": (certified_and_not,
                                        "is certified, and the index says that it is not"),
    "a changed claim": (changed_claim, "is not the specs': it should say"),
    "claims swapped": (swapped_claims, "is not the specs': it should say"),
    "a changed SMT-LIB file": (changed_smt, "the SMT-LIB file is not the specs': line "),
    "an SMT-LIB file that asks nothing": (weaker_smt, "the SMT-LIB file is not the specs': line "),
    "inputs swapped": (swapped_inputs, "what is said of the CNF's variables is wrong"),
    "a unit taken out": (removed, "the index leaves it out: "),
    "an obligation that nobody has": (moved_to_strangers, "the run has no such obligation"),
    "a property that is called shown": (
        called_shown, "is shown, and is nothing that a step is there for"
    ),
    "what a step is there for left out": (not_shown, "the index leaves it out"),
    "another kind of graph": (unfolded, "the gates are not those of its obligations: clause "),
}


@pytest.mark.parametrize("name", AGAINST_SPECS)
def test_what_the_specs_show(copy: Path, library: Library, name: str) -> None:
    forge, message = AGAINST_SPECS[name]
    forger = Forger(copy)
    forge(forger, library)
    forger.write() if forger.row in forger.index["units"] else forger.write_index()
    report = told_by(copy, library)
    assert (isinstance(report, Report)
            and any(message in why for why in report.wrong.values())), report


@pytest.mark.parametrize(
    "name", ["violations that are constant false", "another variant's gates", "a changed claim"]
)
def test_without_specs_such_a_forgery_stands_and_the_report_says_what_was_not_checked(
    copy: Path, library: Library, name: str
) -> None:
    forger = Forger(copy)
    AGAINST_SPECS[name][0](forger, library)
    forger.write()
    assert certify(copy, "--verify", "-q").exit_code == 4
    result = certify(copy, "--verify", "--files-only", "-q")
    assert (result.exit_code == 0
            and "What the gates mean was not checked, nor what the run covers" in result.output)


# Edits of the index and the folder.

def zero_digests(f: Forger) -> None:
    f.index["specs"] = dict.fromkeys(f.index["specs"], "0" * 64)


def row_twice(f: Forger) -> None:
    f.index["units"].append(dict(f.row))


def path_out(f: Forger) -> None:
    f.row["files"]["cnf"]["path"] = "units/../../etc/passwd.cnf.gz"


def other_path(f: Forger) -> None:
    """Both units have one proof file."""
    f.row["files"]["drat"] = dict(f.index["units"][1]["files"]["drat"])


def name_out(f: Forger) -> None:
    f.row["name"] = "x86_64/pte/../today/clear-young"


REFUSED: dict[str, tuple[Callable[[Forger], None], str]] = {
    "digests of zero": (
        zero_digests, "of other specs: arch/generic.yaml is not the file that is here"
    ),
    "a digest left out": (lambda f: f.index["specs"].pop("specs/world.yaml"),
                          "of other specs: specs/world.yaml is not"),
    "a file that is not there": (lambda f: f.index["specs"].update({"specs/more.yaml": "0"}),
                                 "specs/more.yaml is not"),
    "another kernel": (lambda f: f.index.update(kernel={"x86": "Linux 7.0"}),
                       "they were read in another Linux"),
    "a row twice": (row_twice, "lists no unit, or one twice"),
    "no row": (lambda f: f.index.update(units=[]), "lists no unit, or one twice"),
    "a path out of the folder": (
        path_out, "is not where x86_64/pte/option-c/today/clear-young has its cnf file"
    ),
    "another unit's path": (
        other_path, "is not where x86_64/pte/option-c/today/clear-young has its drat file"
    ),
    "a name that leads out": (name_out, "is no name of a unit"),
    "another schema": (lambda f: f.index.update(schema="pteproof.certificates/1"),
                       "no index of pteproof.certificates/2"),
    "another key": (lambda f: f.index.update(note="x"), "malformed index"),
    "a filter that is none": (lambda f: f.index["asked"].update(arch="x86_64"),
                              "not a list of words"),
    "an unknown graph": (lambda f: f.index.update(graph="x"), "malformed index"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_the_whole_folder_refused(copy: Path, library: Library, name: str) -> None:
    forge, message = REFUSED[name]
    forger = Forger(copy)
    forge(forger)
    forger.write_index()
    report = told_by(copy, library)
    assert isinstance(report, str) and message in report, report


def test_an_index_with_a_key_twice_is_refused(copy: Path) -> None:
    text = (copy / INDEX).read_text()
    (copy / INDEX).write_text(text.replace('"units": [', '"units": [],\n "units": [', 1))
    assert "key 'units' stands twice" in str(told_by(copy, None))


CNF = unit_path(UNIT, "cnf")


def linked(folder: Path) -> None:
    (folder / CNF).rename(folder.parent / "elsewhere")
    (folder / CNF).symlink_to(folder.parent / "elsewhere")


def linked_folder(folder: Path) -> None:
    (folder / "units").rename(folder.parent / "units")
    (folder / "units").symlink_to(folder.parent / "units")


def pipe(folder: Path) -> None:
    (folder / CNF).unlink()
    os.mkfifo(folder / CNF)


@pytest.mark.parametrize(("forge", "name", "message"), [
    (lambda folder: (folder / "README").write_text("x"), "README", "no unit has it"),
    (lambda folder: (folder / "units" / "x.cnf.gz").write_text("x"), "units/x.cnf.gz",
     "no unit has it"),
    (lambda folder: (folder / CNF).unlink(), UNIT, f"{CNF}: No such file"),
    (lambda folder: (folder / CNF).write_bytes(b"p cnf 1 1\n1 0\n"), UNIT,
     "is not packed with gzip: Not a gzipped file"),
    (linked, UNIT, f"{CNF}: is a link, not a file"),
    (linked_folder, "units", "is no folder"),
    (pipe, UNIT, f"{CNF}: not a regular file"),
])
def test_files_that_do_not_belong(copy: Path, forge: Callable[[Path], None], name: str,
                                  message: str) -> None:
    forge(copy)
    report = told_by(copy, None)
    assert isinstance(report, Report) and message in report.wrong[name], report


def test_an_index_that_is_a_link_is_refused(copy: Path) -> None:
    (copy / INDEX).rename(copy.parent / "index")
    (copy / INDEX).symlink_to(copy.parent / "index")
    assert "is a link, not a file" in str(told_by(copy, None))


def test_who_says_less_is_told_to_say_less(copy: Path, library: Library) -> None:
    """A forger may call what was proved refuted, or ask for less: then that is what the folder
    says, and how it ends.
    """
    forger = Forger(copy)
    forger.remove()
    forger.index["not_certified"] |= {o["id"]: "proved" for o in forger.told["obligations"]}
    forger.write_index()
    result = certify(copy, "--verify")
    assert (result.exit_code == 3
            and f"  {forger.told['obligations'][0]['id']}: proved" in result.output)
    forger.index["asked"]["transition"] = ["init"]
    forger.index["not_certified"], forger.index["shown"] = {}, []
    forger.write_index()
    result = certify(copy, "--verify")
    assert result.exit_code == 0 and "--transition init, so no theorem as a whole" in result.output


def test_other_specs_are_refused_by_the_files_name(copy: Path, library: Library,
                                                   tmp_path: Path) -> None:
    specs = Path(shutil.copytree(library.spec_folder, tmp_path / "specs"))
    with (specs / "properties.yaml").open("a") as stream:
        stream.write("# one comment more\n")
    from click.testing import CliRunner

    from verifier.cli import main

    result = CliRunner().invoke(main, ["--spec-dir", str(specs), "certify", str(copy), "--verify"])
    assert (result.exit_code == 2 and "of other specs: specs/properties.yaml is not the file that "
                                      "is here" in result.output)
    index = json.loads((copy / INDEX).read_text())
    assert index["specs"]["specs/properties.yaml"] in result.output or len(index["specs"]) > 10
