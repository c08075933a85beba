# SPDX-License-Identifier: GPL-2.0-or-later
"""How large a block has to be so that its proof is one of every size: read off the texts.

What a step makes of a page is a function of that page's entry, of the pages that the text names
(the first one, its parameters), and of *atoms*: does some entry of the block have this? So a
failure in a large block is one in the small block of that page, the named ones, and a witness of
each atom that holds. Texts of another form are refused: a loop that hands a value on from one round
to the next, a test within a loop of what the loop changes, a sentence that demands a witness.
docs/blocks.md argues it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from verifier.base.errors import SpecError, Where
from verifier.language.read_yaml import Source
from verifier.model.spec import Encoding, Spec, Transition
from verifier.model.texts import Definition, name_of

__all__ = ["CutOff", "cut_off", "cut_off_of"]

OVER = ("any", "all")
PROCESSES = 2
FIRST = "0"
LAST = "LAST"


@dataclass(frozen=True, slots=True)
class CutOff:
    """How many pages a block needs for one step: a page, those that are named, and the atoms.

    witnesses  pages that properties ask for: of each process one for each sentence that is given
               and demands one, and those of the property that fails
    """

    named: frozenset[str]
    atoms: tuple[str, ...]
    witnesses: int = 0
    ordered: bool = False  # does the text ask which of two pages comes first?

    @property
    def pages(self) -> int:
        """The size of the block."""
        return 1 + len(self.named) + len(self.atoms) + self.witnesses


@dataclass(slots=True)
class _Facts:
    """What a text does: its atoms, the pages it names, and variables of the folio that it uses."""

    atoms: list[str] = field(default_factory=list)  # one for each place where it is asked
    named: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    sets: set[str] = field(default_factory=set)  # to a constant
    computes: set[str] = field(default_factory=set)  # sets to anything else


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an expression stands: which names are pages, and within which loop."""

    pages: frozenset[str]  # parameters
    counters: frozenset[str] = frozenset()
    atom: bool = False
    loop: bool = False
    numbers: bool = False  # may a page be used as a number?


def cut_off(spec: Spec, encoding: Encoding, code: str, frames: tuple[str, ...]) -> int:
    """The size of a block whose proof is one of every size; SpecError where there is none."""
    steps = [cut_off_of(spec, encoding, transition, code, frames)
             for transition in spec.transitions.values()]
    return max(one.pages for one in (*steps, _of_event(_Reader(spec, encoding, frames), spec)))


def _of_event(reader: _Reader, spec: Spec) -> CutOff:
    """That of what the hardware does: it names a page, and in a contiguous block an entry too."""
    named, failing = reader.properties(spec)
    return CutOff(frozenset({*named, "page", "at"}), (), PROCESSES * len(reader.demanded) + failing)


def cut_off_of(spec: Spec, encoding: Encoding, transition: Transition, code: str,
               frames: tuple[str, ...]) -> CutOff:
    """The same of one step."""
    reader = _Reader(spec, encoding, frames)
    chosen = transition.code(code)
    assert chosen is not None
    facts = reader.text(chosen[1], frozenset(transition.pages))
    for sentence in transition.requires:
        reader.keeps(sentence.holds)
    for observation in spec.observations.values():
        for axiom in observation.axioms:
            reader.keeps(axiom.holds)
    for sentence in spec.init:
        reader.keeps(sentence.holds)
    named, failing = reader.properties(spec)
    return CutOff(frozenset(facts.named | named | set(transition.pages)), tuple(facts.atoms),
                  PROCESSES * len(reader.demanded) + failing, reader.ordered)


class _Reader:
    """Reads the texts of one encoding."""

    def __init__(self, spec: Spec, encoding: Encoding, frames: tuple[str, ...]) -> None:
        self.frames = frames
        sections = (spec.views, spec.readings, spec.truths, spec.actions, spec.procedures,
                    encoding.definitions)
        self.known: Mapping[str, Definition] = {
            name_of(one): one for section in sections for one in section}
        signatures = {name: one.signature for name, one in self.known.items()}
        signatures |= {name: one.signature for name, one in spec.observations.items()}
        self.kinds = {name: [kind for _, kind in _params(signature)]
                      for name, signature in signatures.items()}
        variables = (*spec.variables.values(), *encoding.state)
        self.paged = {v.name for v in variables if v.page}
        self.plain = {v.name for v in variables if not v.page}
        self.done: dict[str, _Facts] = {}
        self.demanded: set[str] = set()  # what properties demand that some entry has
        self.may_demand = False
        self.own_pages = frozenset({"i"})  # parameters that are pages, where a sentence stands
        self.ordered = False
        self.where = Where("", 0, 0)

    def text(self, text: Source, pages: frozenset[str]) -> _Facts:
        """The facts of a step's code."""
        facts, self.where = _Facts(), text.where
        body = ast.parse(text.text).body
        _check_left(self, body)
        self.block(body, _Place(pages), facts)
        return facts

    def definition(self, name: str) -> _Facts:
        """The facts of a definition."""
        if name not in self.done:
            found, where = self.known[name], self.where
            self.where = found.at
            facts = _Facts()
            place = _Place(frozenset(n for n, kind in _params(found.signature) if kind == "page"),
                           numbers=name in self.frames)
            body = ast.parse(found.body.text).body
            _check_left(self, body)
            self.block(body, place, facts)
            self.where, self.done[name] = where, facts
        return self.done[name]

    def properties(self, spec: Spec) -> tuple[set[str], int]:
        """The pages that properties name, and the most atoms of one: each may be what fails.

        What they demand of some entry of the block is taken down.
        """
        named: set[str] = set()
        most, self.may_demand = 0, True
        for prop in spec.properties.values():
            if prop.holds is not None:
                self.keeps(prop.holds)
                facts = _Facts()
                body = ast.parse(prop.holds.text.strip(), mode="eval").body
                self.expr(body, _Place(frozenset({"i"})), facts)
                named |= facts.named & {FIRST, LAST}
                most = max(most, len(facts.atoms))
        self.may_demand = False
        return named, most

    def refuse(self, why: str) -> SpecError:
        """The error that a text has no cut-off."""
        return SpecError(self.where, f"no size of a block stands for all: {why}")

    def block(self, body: Iterable[ast.stmt], place: _Place, facts: _Facts) -> None:
        for stmt in body:
            self.stmt(stmt, place, facts)

    def stmt(self, stmt: ast.stmt, place: _Place, facts: _Facts) -> None:
        if isinstance(stmt, ast.For):
            self.loop(stmt, place, facts)
        elif isinstance(stmt, ast.If):
            self.expr(stmt.test, place, facts)
            self.block((*stmt.body, *stmt.orelse), place, facts)
        elif isinstance(stmt, (ast.Assign, ast.AugAssign)):
            self.expr(stmt.value, place, facts)
            target = stmt.targets[0] if isinstance(stmt, ast.Assign) else stmt.target
            if isinstance(target, ast.Subscript):
                self.expr(target, place, facts)
                if place.loop and _page_of(target) not in place.counters:
                    raise self.refuse("a loop sets what is not of its own page")
            elif isinstance(target, ast.Name) and target.id in self.plain:
                known = isinstance(stmt, ast.Assign) and isinstance(stmt.value, ast.Constant)
                (facts.sets if known else facts.computes).add(target.id)
        elif isinstance(stmt, ast.Return) and place.loop:
            raise self.refuse("a loop returns, and what comes behind depends on the order")
        else:
            for node in ast.iter_child_nodes(stmt):
                if isinstance(node, ast.expr):
                    self.expr(node, place, facts)

    def loop(self, stmt: ast.For, place: _Place, facts: _Facts) -> None:
        """A loop over the block: each round is about its own page."""
        if place.loop:
            raise self.refuse("a loop within a loop")
        assert isinstance(stmt.target, ast.Name)
        inner = replace(place, loop=True, counters=place.counters | {stmt.target.id})
        mine = _Facts()
        self.block(stmt.body, inner, mine)
        if mine.atoms:
            raise self.refuse("a loop asks for the whole block while it changes it")
        if mine.computes or mine.sets & mine.reads:
            raise self.refuse("a loop hands on a value of the folio from round to round")
        _check_locals(self, stmt)
        facts.named |= mine.named
        facts.reads |= mine.reads
        facts.sets |= mine.sets
        # some entry led to it: an atom of its own
        facts.atoms += [f"any that sets {name}" for name in sorted(mine.sets)]

    def expr(self, node: ast.expr, place: _Place, facts: _Facts) -> None:
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.GeneratorExp() as given]) if (
                    name in OVER):
                if place.atom:
                    raise self.refuse("a question about the block within another")
                counter = given.generators[0].target
                assert isinstance(counter, ast.Name)
                facts.atoms.append(f"{name} {ast.unparse(given.elt)}")
                self.expr(given.elt, replace(place, atom=True,
                                             counters=place.counters | {counter.id}), facts)
            case ast.Call(func=ast.Name(id=name)):
                self.call(node, name, place, facts)
            case ast.Subscript():
                self.subscript(node, place, facts)
            case ast.Name(id=name):
                if name in place.counters | place.pages and not place.numbers:
                    raise self.refuse(f"the number of a page ({name}) is used")
                if name in self.plain:
                    facts.reads.add(name)
            case ast.Compare(left=left, ops=[how], comparators=[right]) if (
                    _is_page(left, place) and _is_page(right, place)):
                self.ordered = self.ordered or not isinstance(how, (ast.Eq, ast.NotEq))
                facts.named |= {_text(one) for one in (left, right)
                                if _text(one) not in place.counters}
            case _:
                for part in ast.iter_child_nodes(node):
                    if isinstance(part, ast.expr):
                        self.expr(part, place, facts)

    def call(self, node: ast.Call, name: str, place: _Place, facts: _Facts) -> None:
        kinds = self.kinds.get(name, [])
        for number, arg in enumerate(node.args):
            if number < len(kinds) and kinds[number] == "page":
                self.page(arg, place, facts)
            else:
                self.expr(arg, place, facts)
        if name not in self.known:
            return
        inner = self.definition(name)
        if inner.atoms and place.atom:
            raise self.refuse(f"{name} asks for the whole block within a question about it")
        facts.atoms += inner.atoms
        facts.named |= inner.named & {FIRST, LAST}
        facts.reads |= inner.reads
        facts.sets |= inner.sets
        facts.computes |= inner.computes

    def page(self, node: ast.expr, place: _Place, facts: _Facts) -> None:
        """An argument that stands for a page: of the round, a parameter, the first or the last."""
        if not _is_page(node, place):
            raise self.refuse("a page is neither the round's, a parameter nor the first or last")
        if _text(node) not in place.counters:
            facts.named.add(_text(node))

    def subscript(self, node: ast.Subscript, place: _Place, facts: _Facts) -> None:
        inner = node.value
        name = inner.value if isinstance(inner, ast.Subscript) else inner
        assert isinstance(name, ast.Name)
        if name.id in self.paged:
            self.page(node.slice, place, facts)

    def keeps(self, text: Source) -> None:
        """Refuse a sentence that holds of a block and not of each part of it.

        It is about each page alone, or says that no entry has something, or that all have it.
        """
        self.where = text.where
        self.universal(ast.parse(text.text.strip(), mode="eval").body, True)

    def _demand(self, node: ast.Call) -> None:
        """Take down what a property demands of some entry: the same for every page of a process."""
        given = node.args[0]
        assert isinstance(given, ast.GeneratorExp)
        counter = given.generators[0].target
        names = {one.id for one in ast.walk(given.elt) if isinstance(one, ast.Name)}
        if names & self.own_pages - {ast.unparse(counter)}:
            raise self.refuse("a sentence demands another entry for each page")
        self.demanded.add(ast.unparse(node))

    def universal(self, node: ast.AST, positive: bool | None) -> None:
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self.universal(operand, None if positive is None else not positive)
            case ast.BoolOp(values=values):
                for value in values:
                    self.universal(value, positive)
            case ast.Call(func=ast.Name(id=name), args=[ast.GeneratorExp()]) if name in OVER:
                if positive is not (name == "all") and self.may_demand:
                    self._demand(node)
                elif positive is not (name == "all"):
                    raise self.refuse("a sentence demands that some entry of the block has this")
            case ast.Call(func=ast.Name(id=name)) if name in self.known:
                around, self.own_pages = self.own_pages, frozenset(
                    n for n, kind in _params(self.known[name].signature) if kind == "page")
                for tree in ast.parse(self.known[name].body.text).body:
                    self.universal(tree.value if isinstance(tree, ast.Expr) else tree,
                                   positive if isinstance(tree, ast.Expr) else None)
                self.own_pages = around
                for arg in node.args:
                    self.universal(arg, None)
            case _:
                for part in ast.iter_child_nodes(node):
                    self.universal(part, None)


def _params(signature: str) -> list[tuple[str, str]]:
    """The parameters in a signature: names and the words of their types."""
    inner = signature.partition("(")[2].rpartition(")")[0]
    pairs = (one.partition(":") for one in inner.split(",") if one.strip())
    return [(name.strip(), kind.strip()) for name, _, kind in pairs]


def _text(node: ast.expr) -> str:
    return ast.unparse(node)


def _is_page(node: ast.expr, place: _Place) -> bool:
    return (isinstance(node, ast.Constant) and node.value == 0) or (
        isinstance(node, ast.Name) and node.id in place.pages | place.counters | {LAST})


def _page_of(node: ast.Subscript) -> str:
    return ast.unparse(node.slice)


def _names(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, bool]]:
    """Every name in these nodes, in the order of the text, and whether it is set there."""
    for node in nodes:
        if isinstance(node, ast.Assign):
            yield from _names([node.value])
            yield from _names(node.targets)
        elif isinstance(node, ast.Name):
            yield node.id, isinstance(node.ctx, ast.Store)
        else:
            yield from _names(ast.iter_child_nodes(node))


def _check_left(reader: _Reader, body: list[ast.stmt]) -> None:
    """Refuse a local that a loop sets and that is read outside of it: the last round decides."""
    loops = [node for stmt in body for node in ast.walk(stmt) if isinstance(node, ast.For)]
    within = {id(node) for loop in loops for stmt in loop.body for node in ast.walk(stmt)}
    own = {name for loop in loops for name, stored in _names(loop.body) if stored}
    for stmt in body:
        for node in ast.walk(stmt):
            if (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
                    and id(node) not in within and node.id in own - reader.plain):
                raise reader.refuse(f"the last round of a loop says what {node.id} is")


def _check_locals(reader: _Reader, loop: ast.For) -> None:
    """Refuse a local that a round of the loop may read before it has set it itself."""
    every = list(_names(loop.body))
    own = {name for name, stored in every if stored and name not in reader.plain}
    first: dict[str, bool] = {}
    for stmt in loop.body:
        for name, stored in _names([stmt]):
            if name in own:
                first.setdefault(name, stored and isinstance(stmt, ast.Assign))
    late = sorted(name for name, sets in first.items() if not sets)
    if late:
        raise reader.refuse(f"a loop hands {late[0]} on from round to round")
