# SPDX-License-Identifier: GPL-2.0-or-later
"""Every obligation decided by ways that share no bit-blasting, and compared.

One way is the bit graph with a SAT solver, another a solver of terms. A third, plain integers over
all values of the bits that matter, decides what is proved and depends on few bits. Where they
disagree, the tool contradicts itself. It then leaves a folder with which others can tell who is
wrong: each question as SMT-LIB 2 and as CNF, the verdicts, and the values if there are any.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from verifier.engine.bits import Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.graph import TRUE
from verifier.engine.smtlib import Script, Smt
from verifier.engine.versions import solver_versions
from verifier.language.algebra import B, W
from verifier.model.typed import Model
from verifier.model.world import key_name
from verifier.prove.bits_way import Contradiction, GroupProver, claim
from verifier.prove.builder import Builder
from verifier.prove.integers_way import PlainChecker, Violated
from verifier.prove.obligations import Aim, Group, Question
from verifier.prove.results import Proved, Unknown, Verdict, verdict_name
from verifier.prove.terms_way import term_answers

__all__ = ["CrossProver", "dimacs"]


class CrossProver:
    """A Prover whose verdict is the bit graph's where the second solver says the same.

    Its giving up is UNKNOWN, not agreement.
    """

    def __init__(
        self, model: Model, group: Group, graph: Bits, solver: BitsSolver, second: str,
        timeout: float, folder: Path
    ) -> None:
        self._bits = GroupProver(model, group, graph, solver)
        self.model, self.group, self.graph, self.solver, self.builder = (
            model, group, graph, solver, self._bits.builder
        )
        self.name, self.second = f"bits and {second}", second
        self._terms = term_answers(model, group, second, timeout=timeout)
        self.folder = folder
        self.plain = PlainChecker(model, group, self.builder, graph, solver, timeout / 2)
        self._third = ""

    def way(self) -> str:
        """Both, and plain integers where they were asked."""
        return (f"bits, {self.second} and plain integers over {self._third}" if self._third
                else self.name)

    def exclude(self, questions: Sequence[Question[Word, int]]) -> None:
        """Nothing: each way is asked each question by itself."""

    def decide(self, question: Question[Word, int], least: bool = True) -> Verdict:
        """Raises Contradiction, which names the folder, where two ways differ."""
        self._third = ""
        try:
            ours: Verdict | None = self._bits.decide(question, least)
            word = verdict_name(ours) if ours is not None else ""
        except Contradiction as error:
            ours, word = None, f"refuted, and {error}"
        theirs = self._terms.word(question)
        if theirs == "unknown" or word == "unknown":
            return Unknown(
                "solver", f"no cross-check: the bit graph says {word}, {self.second} {theirs}"
            )
        if ours is None or word != theirs:
            see = self._left(question, word, theirs, ours)
            raise Contradiction(
                f"{question.id}: the bit graph says {word}, {self.second} says {theirs}; {see}"
            )
        if isinstance(ours, Proved):
            self._ask_integers(question, theirs, ours)
        return ours

    def decide_aim(self, aim: Aim[int]) -> Verdict:
        """As `decide`; that values lead there is recomputed with plain integers in any case."""
        ours = self._bits.decide_aim(aim)
        word, theirs = verdict_name(ours), self._terms.aim_word(aim)
        if theirs == "unknown" or word == "unknown":
            return Unknown(
                "solver", f"no cross-check: the bit graph says {word}, {self.second} {theirs}"
            )
        if word != theirs:
            see = self._left(aim, word, theirs, ours)
            raise Contradiction(
                f"{aim.id}: the bit graph says {word}, {self.second} says {theirs}; {see}"
            )
        return ours

    def broken(self, question: Question[Word, int]) -> tuple[str, ...]:
        """As the bit graph has it."""
        return self._bits.broken(question)

    def helpers(self) -> tuple[str, ...]:
        """None but arch/'s."""
        return ()

    def _ask_integers(self, question: Question[Word, int], theirs: str, ours: Proved) -> None:
        found = self.plain.check(question)
        if isinstance(found, Violated):
            see = self._left(question, "proved", theirs, ours, found.values)
            raise Contradiction(f"{question.id}: the bit graph and {self.second} say proved, plain "
                                f"integers refuted; {see}")
        self._third = "" if found is None else "1 bit" if found.bits == 1 else f"{found.bits} bits"

    def _left(
        self, question: Question[Word, int] | Aim[int], ours: str, theirs: str,
        verdict: Verdict | None,
        plain: Mapping[str, int | bool] | None = None,
    ) -> str:
        """Where to look."""
        try:
            return f"see {self.bundle(question, ours, theirs, verdict, plain)}"
        except OSError as error:
            return f"what shows it cannot be written: {error.strerror}"

    def bundle(
        self, question: Question[Word, int] | Aim[int], ours: str, theirs: str,
        verdict: Verdict | None,
        plain: Mapping[str, int | bool] | None = None,
    ) -> Path:
        """Everything that is needed to see the disagreement again, without this program."""
        where = self.folder / re.sub(r"[^A-Za-z0-9_.+-]", "_", question.id)
        where.mkdir(parents=True, exist_ok=True)
        smt = Smt()
        builder = Builder(self.model, self.group, smt, smt.input)
        rows = (_rows_of_aim(question, builder) if isinstance(question, Aim)
                else _rows(question, builder))
        files: list[dict[str, str]] = []
        for name, means, literals, conditions in rows:
            script = Script([question.id, name])
            script.ask((), conditions, alone=True)
            (where / f"{name}.smt2").write_text(script.text())
            (where / f"{name}.cnf").write_text(dimacs(self.graph, literals))
            files.append({"file": name, "satisfiable means": means})
        move = getattr(getattr(verdict, "counterexample", None), "move", None)
        values = {name: int(value) for name, value in (plain or {}).items()}
        if move is not None:
            values = ({key_name(k): int(v) for k, v in move.before.items()}
                      | {k: int(v) for k, v in move.inputs.items()})
        told = {"obligation": question.id, "claim": claim(self.model, self.group, question),
                "bits": ours, self.second: theirs, "integers": None if plain is None else "refuted",
                "questions": files, "values": values,
                "versions": dict(solver_versions())}
        (where / "obligation.json").write_text(json.dumps(told, indent=1) + "\n")
        return where


def _rows(
    question: Question[Word, int], builder: Builder[W, B]
) -> Iterator[tuple[str, str, list[int], list[B]]]:
    """Each question to a solver: its name, the meaning of satisfiable, literals, terms."""
    asked = next(
        builder.questions(lambda t, p: (t, p) == (question.transition, question.property.name))
    )
    for label, given in question.given.items():
        ways = [w.bad for w in question.ways if w.label == label]
        terms = [w.bad for w in asked.ways if w.label == label]
        assumed = list(asked.given[label])
        yield f"{_name(label)}-given", "inhabited", list(given), assumed
        for n, (bad, term) in enumerate(zip(ways, terms, strict=True)):
            yield f"{_name(label)}-way-{n}", "refuted", [*given, bad], [*assumed, term]


def _rows_of_aim(
    aim: Aim[int], builder: Builder[W, B]
) -> Iterator[tuple[str, str, list[int], list[B]]]:
    """As `_rows`: each instance that may lead there."""
    asked = next(builder.aims(lambda t, p: (t, p) == (aim.transition, aim.property.name)))
    for (instance, given, shown), (_, assumed, term) in zip(aim.shown, asked.shown, strict=True):
        yield f"{_name(instance.label)}-shown", "proved", [*given, shown], [*assumed, term]


def _name(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", label)


def dimacs(graph: Bits, literals: Sequence[int]) -> str:
    """A CNF that is satisfiable where the literals hold together.

    It has three clauses for each conjunction of their cone. Lines of comment say which variable is
    which bit of which input: `c input NAME BIT VARIABLE`.
    """
    number: dict[int, int] = {0: 1}  # node 0 is the constant
    clauses: list[list[int]] = []

    def variable(node: int) -> int:
        return number.setdefault(node, len(number) + 1)

    def signed(literal: int) -> int:
        return -variable(literal >> 1) if literal & 1 else variable(literal >> 1)

    todo, seen = [literal >> 1 for literal in literals], set[int]()
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        a, b = graph.nodes.sides(node)
        if node == 0 or a <= 0:
            continue
        own, x, y = variable(node), signed(a), signed(b)
        clauses += [[-own, x], [-own, y], [own, -x, -y]]
        todo += [a >> 1, b >> 1]
    clauses.append([signed(TRUE)])
    clauses += [[signed(literal)] for literal in literals]
    names = [f"c input {name} {bit} {number[lit >> 1]}" for name, lits in graph.inputs.items()
             for bit, lit in enumerate(lits) if lit >> 1 in number and lit >> 1]
    rows = [" ".join(map(str, [*clause, 0])) for clause in clauses]
    return "\n".join([*names, f"p cnf {len(number)} {len(clauses)}", *rows]) + "\n"
