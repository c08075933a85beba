# SPDX-License-Identifier: GPL-2.0-or-later
"""Every obligation by two ways that share no blasting: the bit graph with a SAT solver, and a solver of terms.

Where they disagree, the tool contradicts itself, and a folder is left with which others can tell who is wrong: each
question as SMT-LIB 2 and as CNF, both verdicts, and the values if there are any.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from verifier.bits import Bits
from verifier.graph import TRUE
from verifier.obligations import Builder, Group, Question
from verifier.prove import Contradiction, GroupProver, claim
from verifier.prove_terms import TermProver, term_inputs
from verifier.results import Unknown, Verdict, verdict_name
from verifier.scopes import Model
from verifier.smtlib import Script, Smt
from verifier.solve import BitsSolver, solver_versions
from verifier.steps import key_name

__all__ = ["CrossProver", "dimacs"]


class CrossProver(TermProver):
    """A verdict is the bit graph's where the second solver says the same. Its giving up is UNKNOWN, not agreement."""

    def __init__(
        self, model: Model, group: Group, graph: Bits, solver: BitsSolver, second: str, timeout: float, folder: Path
    ) -> None:
        super().__init__(model, group, graph, solver, second, timeout=timeout)
        self.name, self.second = f"bits and {second}", second
        self.folder = folder

    def decide(self, question: Question) -> Verdict:
        """Raises Contradiction, which names the folder, where the two ways differ."""
        try:
            ours: Verdict | None = GroupProver.decide(self, question)
            word = verdict_name(ours) if ours is not None else ""
        except Contradiction as error:
            ours, word = None, f"refuted, and {error}"
        theirs = self.word(question)
        if theirs == "unknown" or word == "unknown":
            return Unknown("solver", f"no cross-check: the bit graph says {word}, {self.second} {theirs}")
        if ours is None or word != theirs:
            try:
                see = f"see {self.bundle(question, word, theirs, ours)}"
            except OSError as error:
                see = f"what shows it cannot be written: {error.strerror}"
            raise Contradiction(f"{question.id}: the bit graph says {word}, {self.second} says {theirs}; {see}")
        return ours

    def bundle(self, question: Question, ours: str, theirs: str, verdict: Verdict | None) -> Path:
        """Everything that is needed to see the disagreement again, without this program."""
        where = self.folder / re.sub(r"[^A-Za-z0-9_.+-]", "_", question.id)
        where.mkdir(parents=True, exist_ok=True)
        smt = Smt()
        builder = Builder(self.model, self.group, smt, term_inputs(smt))
        asked = next(builder.questions(lambda t, p: (t, p) == (question.transition, question.property.name)))
        files: list[dict[str, Any]] = []
        for label, given in question.given.items():
            ways = [w.bad for w in question.ways if w.label == label]
            terms = [w.bad for w in asked.ways if w.label == label]
            assumed = list(asked.given[label])
            rows = [("given", list(given), assumed)]
            for n, (bad, term) in enumerate(zip(ways, terms, strict=True)):
                rows.append((f"way-{n}", [*given, bad], [*assumed, term]))
            for kind, literals, conditions in rows:
                name = f"{re.sub(r'[^A-Za-z0-9]', '_', label)}-{kind}"
                script = Script([question.id, kind])
                script.ask((), conditions, alone=True)
                (where / f"{name}.smt2").write_text(script.text())
                (where / f"{name}.cnf").write_text(dimacs(self.graph, literals))
                files.append({"file": name, "satisfiable means": "inhabited" if kind == "given" else "refuted"})
        move = getattr(getattr(verdict, "counterexample", None), "move", None)
        values: dict[str, int] = {}
        if move is not None:
            values = {key_name(k): int(v) for k, v in move.before.items()} | {k: int(v) for k, v in move.inputs.items()}
        told = {"obligation": question.id, "claim": claim(self.model, self.group, question), "bits": ours,
                self.second: theirs, "questions": files, "values": values, "versions": dict(solver_versions())}
        (where / "obligation.json").write_text(json.dumps(told, indent=1) + "\n")
        return where


def dimacs(graph: Bits, literals: Sequence[int]) -> str:
    """A CNF that is satisfiable where the literals hold together: three clauses for each conjunction of their cone.

    Comment lines say which variable is which bit of which input: `c input NAME BIT VARIABLE`.
    """
    left, right = graph.left, graph.right
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
        a, b = left[node], right[node]
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
