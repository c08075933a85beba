# SPDX-License-Identifier: GPL-2.0-or-later
"""Decides the obligations of one group on the bit graph, with inhabitants and counterexamples.

Every model that a solver gives is recomputed with plain integers (verifier.prove.recompute). A
difference is a contradiction of the tool and never passes silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from verifier.base.errors import Contradiction
from verifier.engine.answers import Sat, Undecided, Unsat
from verifier.engine.bits import FALSE, TRUE, Bits, Word
from verifier.engine.bits_solver import BitsSolver
from verifier.engine.least_model import minimise
from verifier.language.algebra import B, W
from verifier.language.evaluate import truth_of
from verifier.language.machine import LIFTED
from verifier.language.syntax import BOOL
from verifier.language.values import Fresh
from verifier.model.spec import REACHES, Property
from verifier.model.step import Instance, Step
from verifier.model.typed import Model
from verifier.model.world import key_name, state_keys
from verifier.prove.builder import Builder
from verifier.prove.obligations import Aim, Group, Obligation, Question, Way
from verifier.prove.recompute import (
    fails,
    leads_to,
    plain_state,
    step_move,
    violates,
)
from verifier.prove.results import (
    Counterexample,
    Incomplete,
    Move,
    Proved,
    Refuted,
    Unknown,
    Vacuous,
    Verdict,
)
from verifier.prove.step_judge import StepJudge

__all__ = ["Contradiction", "GroupProver", "obligation_of"]



def obligation_of(model: Model, group: Group, name: str, prop: Property) -> Obligation:
    """The obligation of a property at a transition, an hw-EVENT, `init` or `static`."""
    transition = model.spec.transitions.get(name)
    catalogue: tuple[str, ...] = ()
    if transition is not None:
        catalogue = transition.catalogue
    elif name.startswith("hw-"):
        catalogue = model.layout.event(name.removeprefix("hw-"))[0].catalogue
    return Obligation(group, name, catalogue, prop.name, prop.kind, prop.claim, model.layout.width)


def claim(model: Model, group: Group, question: Question[W, B] | Aim[B]) -> str:
    """The claim of a question in one sentence."""
    return obligation_of(model, group, question.transition, question.property).claim


class GroupProver:
    """Decides one group; `graph` and `solver` may be shared with other groups of its variant."""

    def __init__(self, model: Model, group: Group, graph: Bits, solver: BitsSolver) -> None:
        self.model = model
        self.group = group
        self.graph = graph
        self.solver = solver
        self.name = solver.name
        self.builder = Builder(model, group, graph, graph_inputs(graph))
        self._inhabitants: dict[str, dict[str, int | bool] | None] = {}
        self._examples: dict[str, list[tuple[dict[str, int | bool], Move]]] = {}  # of an instance
        self._state_names = {key_name(key) for key, _ in state_keys(model)}
        # obligation, instance: no violation of the one in the other, by whom
        self._impossible: dict[tuple[str, str], str] = {}

    def exclude(self, questions: Sequence[Question[Word, int]]) -> None:
        """Find out, for many questions at once, what no step of theirs can violate.

        Most properties hold, and one unsatisfiable question says so of all. For each instance the
        violations of all questions with the same assumptions are one condition. A model of it
        violates some of them: these are left to `decide`, and the others are asked again without
        them. Where the quick solver gives up, all are left.
        """
        for label, given in dict.fromkeys(one for q in questions for one in q.given.items()):
            left = {q.id: self.graph.any(*(w.bad for w in q.ways if w.label == label))
                    for q in questions if q.given.get(label) == given}
            while left:
                self.solver.how = ""
                answer = self.solver.check((*given, self.graph.any(*left.values())), hard=False)
                if isinstance(answer, Unsat):
                    self._impossible |= dict.fromkeys(((name, label) for name in left),
                                                      self.solver.how)
                if not isinstance(answer, Sat):
                    break
                shown = self.graph.evaluate(list(left.values()), answer.model)
                if not any(shown):
                    raise Contradiction(
                        f"{self.group}: {label}: the solver's values, recomputed, violate nothing"
                    )
                left = {name: bad for (name, bad), violated in zip(left.items(), shown, strict=True)
                        if not violated}

    def decide(self, question: Question[Word, int], least: bool = True) -> Verdict:
        """The verdict; a failure has no trace yet. With `least`, its values are the least ones."""
        for label, given in question.given.items():
            values = self._inhabitant(label, given)
            if values is None:
                return Vacuous(label)
        for label, given in question.given.items():
            ways = [w for w in question.ways if w.label == label]
            known = self._impossible.get((question.id, label))
            if known is not None:
                self.solver.how = self.solver.how or known
                continue
            # Where the quick solver gives up on all ways at once, each is easier alone.
            if isinstance(self.solver.check((*given, self.graph.any(*(w.bad for w in ways))), (),
                                            hard=False), Unsat):
                continue
            for way in ways:
                answer = self.solver.check((*given, way.bad), ())
                if isinstance(answer, Undecided):
                    return Unknown("solver", answer.reason)
                if isinstance(answer, Sat):
                    return Refuted(self.counterexample(question, way, given, least), None)
                assert isinstance(answer, Unsat)
        return Proved(self.inhabitant_of(question))

    def decide_aim(self, aim: Aim[int]) -> Verdict:
        """PROVED with a step that shows the effect, or VACUOUS where no state leads there.

        The step is recomputed with plain integers.
        """
        settled = self.graph.neg(self.graph.any(*aim.unsettled.values()))
        for instance, given, condition in aim.shown:
            shown = self.graph.conj(condition, settled)
            move = self._seen(instance, shown)
            if move is None:
                answer = self.solver.check((*given, shown))
                if isinstance(answer, Undecided):
                    return Unknown("solver", answer.reason)
                if isinstance(answer, Unsat):
                    continue
                move = self.move(instance, answer.model)
                self._examples.setdefault(instance.label, []).append((answer.model, move))
            if not leads_to(self.model, self.group, move, aim.property.name):
                raise Contradiction(f"{aim.id}: the solver's values, recomputed, do not lead there")
            return Proved(move)
        if any(not isinstance(self.solver.check((*given, condition), ()), Unsat)
               for _, given, condition in aim.shown):
            return Incomplete(f"wherever a state leads there: {'; '.join(aim.unsettled)}")
        return Vacuous(aim.transition, aim.property.name.removeprefix(REACHES))

    def _seen(self, instance: Instance, shown: int) -> Move | None:
        """A step found before that shows this too: the effects of a transition share a few."""
        found = (move for values, move in self._examples.get(instance.label, ())
                 if self.graph.evaluate([shown], values)[0])
        return next(found, None)

    def inhabitant_of(self, question: Question[Word, int]) -> Move | None:
        """A step that satisfies everything that the question assumes."""
        for label, instance in question.instances.items():
            values = self._inhabitant(label, question.given[label])
            if values is not None and label not in self._examples:
                self._examples[label] = [(values, self.move(instance, values))]
            return self._examples[label][0][1] if values is not None else None
        return None

    def helpers(self) -> tuple[str, ...]:
        """The lines that say whose helpers these verdicts are about; none for those of arch/."""
        return ()

    def way(self) -> str:
        """The name of the solver that decided last, and how."""
        return (f"{self.name} ({self.solver.how})" if self.solver.how and self.name == "bits"
                else self.name)

    def _inhabitant(self, label: str, given: tuple[int, ...]) -> dict[str, int | bool] | None:
        if label not in self._inhabitants:
            answer = self.solver.check(given)
            self._inhabitants[label] = answer.model if isinstance(answer, Sat) else None
        return self._inhabitants[label]

    def inhabited(self, label: str, given: tuple[int, ...]) -> bool:
        """Does a state satisfy what an instance assumes?"""
        return self._inhabitant(label, given) is not None

    def possible(self, question: Question[Word, int], way: Way[Word, int]) -> bool:
        """Can the property be violated this way?"""
        given = question.given[way.label]
        return not isinstance(self.solver.check((*given, way.bad), ()), Unsat)

    def broken(self, question: Question[Word, int]) -> tuple[str, ...]:
        """Every way in which the property can be violated, by name."""
        return tuple(sorted({str(way) for way in question.ways if self.possible(question, way)}))

    def counterexample(
        self, question: Question[Word, int], way: Way[Word, int], given: tuple[int, ...],
        least: bool = True
    ) -> Counterexample:
        """Values that violate the obligation this way, recomputed with plain integers.

        With `least`, they are the least ones.
        """
        values = self._violating(question, way, [*given, way.bad], least)
        if way.sentence:
            return Counterexample(self.parameters(way.sentence, values), None, reached=True,
                                  replayed=True)
        if way.instance is None:
            return Counterexample(self.initial(values), way.process, reached=True)
        move = self.move(way.instance, values)
        if not violates(self.model, self.group, move, question.property.name):
            raise Contradiction(f"{question.id}: the solver's values, recomputed, violate nothing")
        return Counterexample(move, way.process, replayed=True)

    def _violating(
        self, question: Question[Word, int], way: Way[Word, int], conditions: list[int], least: bool
    ) -> dict[str, int | bool]:
        if not least:
            answer = self.solver.check(conditions)
            if isinstance(answer, Sat):
                return answer.model
        point = ([] if way.step is None
                 else [preference(self.builder.judge, question.property, way.step, [way])])
        conditions += granted(self.solver, conditions, [*point, *self._pleasant()])
        return minimise(self.solver, conditions, order(self.graph, self.graph.support(conditions)))

    def more(self, question: Question[Word, int], count: int) -> Iterator[Move]:
        """Counterexamples to the step that differ in how an entry reads or in what is true."""
        for way in question.ways:
            if way.instance is None:
                continue
            given = [*question.given[way.instance.label], way.bad]
            telling = self._telling()
            while count and isinstance(self.solver.check(given, ()), Sat):
                values = minimise(
                    self.solver, given, order(self.graph, self.graph.support([*given, *telling]))
                )
                yield self.move(way.instance, values)
                count -= 1
                seen = self.graph.evaluate(telling, values)
                given.append(self.graph.any(
                    *(lit ^ int(was) for lit, was in zip(telling, seen, strict=True))
                ))

    def _telling(self) -> list[int]:
        """What makes two states differ for a reader: truth, flags of the folio, how entries read.
        """
        found = [value for key, value in self.builder.state.items() if isinstance(value, int)]
        machine = self.model.machine(self.graph, graph_inputs(self.graph))
        for process in (0, 1):
            for name in ("pte_present", "pte_write", "pte_dirty"):
                entry = self.builder.state["entry", process]
                found.append(truth_of(machine, self.model.layout.helper(name), (entry,)))
        return found

    def _pleasant(self) -> Iterator[int]:
        """Frames that a reader recognises, and pages that can be read."""
        graph, width = self.graph, self.model.layout.ulong
        yield readable(graph, "")
        for name, value in self.model.spec.shown.items():
            if name in graph.inputs:
                number = value if name in self.model.variables else value + 1
                yield graph.eq(graph.input_word(name, width), graph.word(number, width), width)

    def parameters(self, sentence: str, values: dict[str, int | bool]) -> Move:
        """The parameters for which a static sentence fails, recomputed with plain integers."""
        inputs = {name: value for name, value in values.items()
                  if name.startswith((f"{sentence}.", LIFTED))}
        if not fails(self.model, self.builder.judge.properties(), sentence, inputs):
            raise Contradiction(f"{sentence}: the solver's values, recomputed, violate nothing")
        return Move("static", False, (), False, inputs, {}, {})

    def initial(self, values: dict[str, int | bool]) -> Move:
        """A fresh state, as a step that changes nothing."""
        state = plain_state(self.model, values)
        return Move("init", False, (), False, {}, state, state)

    def move(self, instance: Instance, values: dict[str, int | bool]) -> Move:
        """The step under these inputs, computed with plain integers."""
        state = plain_state(self.model, values)
        inputs = {name: value for name, value in values.items() if name not in self._state_names}
        return step_move(self.model, self.group, instance, state, inputs)


def preference(judge: StepJudge[Word, int], prop: Property, step: Step[Word, int],
               ways: Iterable[Way[Word, int]]) -> int:
    """The condition that a property fails in one of these ways, as its `prefers` asks for."""
    if prop.prefers is None:
        return TRUE
    function, world = judge.model.preferred(prop), judge.after(step)
    told = [judge.alg.all(way.bad, truth_of(world, function, (way.process,))) for way in ways
            if way.process is not None]
    return judge.alg.any(*told)


def granted(solver: BitsSolver, conditions: Sequence[int], wishes: Iterable[int]) -> list[int]:
    """The wishes that the conditions allow together, taken one after the other."""
    found: list[int] = []
    for wish in wishes:
        if (wish not in (TRUE, FALSE) and isinstance(solver.check([*conditions, *found, wish], ()),
                                                     Sat)):
            found.append(wish)
    return found


def graph_inputs(graph: Bits) -> Fresh:
    """Inputs of the graph by name and type."""
    return (
        lambda name, kind: graph.input_bool(name) if kind == BOOL else graph.input_word(name, kind)
    )


def readable(graph: Bits, mark: str) -> int:
    """The condition that the mapping of a step may be read and not written.

    `mark` stands before the names of the step's inputs.
    """
    wanted = TRUE
    for name, value in ((f"{mark}vm_read", TRUE), (f"{mark}vm_write", FALSE)):
        if name in graph.inputs:
            wanted = graph.conj(wanted, graph.input_bool(name) ^ value ^ TRUE)
    return wanted


def order(graph: Bits, names: Iterable[str]) -> list[str]:
    """Inputs from those best kept out of a counterexample to those least disturbing."""
    def rank(name: str) -> tuple[int, str]:
        if "@" in name:
            return (1, name)
        if name.startswith("entry."):
            return (4, name)
        return (2 if name in graph.bools else 3, name)

    return sorted(names, key=rank)


def with_trace(verdict: Verdict, counterexample: Counterexample) -> Verdict:
    """The verdict with another counterexample."""
    return (replace(verdict, counterexample=counterexample)
            if isinstance(verdict, (Refuted, Unknown)) else verdict)
