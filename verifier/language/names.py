# SPDX-License-Identifier: GPL-2.0-or-later
"""What names in an expression become: locals, constants, and variables with their indices."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from verifier.base.errors import SpecError, nearest
from verifier.language.meanings import MAX_WIDTH, Scope
from verifier.language.read_yaml import Source
from verifier.language.syntax import (
    BOOL,
    INDEX,
    NOTHING,
    Call,
    Const,
    Expr,
    Local,
    State,
    type_name,
)

__all__ = ["NameTyper", "loaded"]


@dataclass(slots=True)
class NameTyper:
    """Types the names of one text, and keeps what is known of them so far.

    Every method raises SpecError, with the place, at what is not of the language.
    """

    scope: Scope
    source: Source
    kinds: dict[str, int]
    refs: set[str]
    assigned: set[str] = field(default_factory=set)
    loops: list[str] = field(default_factory=list)
    returns: int | None = None
    pure: bool = True
    changes: int = 0  # places that change something outside
    depth: int = 1
    depths: dict[int, int] = field(default_factory=dict)  # id of a node -> how deep it stands
    nesting: int = 0
    sites: int = 0
    unrolled: int = 0
    # what counts in an `any` or `all` over a block -> its value where the operand is typed
    counts: dict[str, int] = field(default_factory=dict)

    def expr(self, node: ast.expr, want: int | None, allow_nothing: bool = False) -> Expr:
        """The typed expression; `want` is the type that a bare number takes."""
        raise NotImplementedError

    def fail(self, node: ast.AST, message: str) -> SpecError:
        """The error with this message at the place of a node, to be raised."""
        return SpecError(self.source.at(getattr(node, "lineno", 1), getattr(node, "col_offset", 0)),
                         message)

    def target(self, node: ast.expr, must_exist: bool) -> Local | State | None:
        """What an assignment sets; None for a local that is new."""
        if isinstance(node, ast.Name):
            if node.id in self.loops:
                raise self.fail(node, f"{node.id} counts a loop and cannot be set")
            if node.id in self.kinds:
                if must_exist and node.id not in self.assigned:
                    raise self.fail(node, f"{node.id} may not have been set here")
                if self.kinds[node.id] == INDEX:
                    raise self.fail(node, f"{node.id} is an index and cannot be set")
                return Local(self.kinds[node.id], node.id)
            if self.scope.state(node.id) is None:
                self.new_name(node, must_exist)
                return None
        elif not isinstance(node, ast.Subscript):
            raise self.fail(node, "only a name or entry[p] can be set")
        place = self.place(node)
        variable = self.scope.state(place.name)
        if variable is None or not variable.writable:
            raise self.fail(node, f"{place.name} cannot be set here")
        self.pure = False
        self.changes += 1
        return place

    def place(self, node: ast.Name | ast.Subscript) -> State:
        """A variable of the world as memory has it, never through a helper."""
        found = self.expr(loaded(node), None) if isinstance(node, ast.Name) else self.cell(node)
        if not isinstance(found, State):
            raise self.fail(node, "cannot be set")
        return found

    def new_name(self, node: ast.Name, must_exist: bool) -> None:
        """Check that a name may become a local variable."""
        if must_exist:
            hint = nearest(node.id, [*self.kinds, *self.scope.names()])
            raise self.fail(node, f"unknown name {node.id!r}{hint}")
        if self.scope.constant(node.id) is not None:
            raise self.fail(
                node, f"{node.id} is a field, a constant or a feature and cannot be set"
            )

    def number(self, node: ast.expr) -> int | None:
        """The value of a number or a numeric constant, else None."""
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return node.value
        value = self.scope.constant(node.id) if isinstance(node, ast.Name) else None
        return value if isinstance(value, int) else None

    def no_index(self, node: ast.AST, value: Expr) -> None:
        """Refuse an index: it is always a known number and never comes out of a choice."""
        if value.type == INDEX:
            raise self.fail(node, "is an index; only parameters and loops have them")

    def agree(self, node: ast.AST, value: Expr, kind: int) -> None:
        """Refuse a value of another type than `kind`."""
        if value.type != kind:
            raise self.fail(node, f"is {type_name(value.type)}, but {type_name(kind)} is needed")

    def literal(self, node: ast.AST, value: object, want: int | None) -> Expr:
        """The constant of a number or boolean; a number has the type `want`, else an entry's."""
        if isinstance(value, bool):
            return Const(BOOL, int(value))
        if not isinstance(value, int):
            raise self.fail(node, "is neither a number nor True or False")
        kind = want if want is not None and want != BOOL and want != NOTHING else self.scope.width
        if kind != INDEX and not 0 <= value < 1 << kind:
            shown = hex(value) if value < 1 << MAX_WIDTH else "a number this long"
            raise self.fail(node, f"{shown} does not fit into {type_name(kind)}")
        return Const(kind, value)

    def name(self, node: ast.Name, want: int | None) -> Expr:
        """What a bare name reads: a local, a variable without index, or a constant."""
        name = node.id
        if name in self.counts:
            return Const(INDEX, self.counts[name])
        if name in self.kinds:
            if name not in self.assigned:
                raise self.fail(node, f"{name} may not have been set here")
            return Local(self.kinds[name], name, self.source.at(node.lineno, node.col_offset))
        variable = self.scope.state(name)
        if variable is not None:
            if variable.count is not None or variable.pages is not None:
                raise self.fail(node, f"{name} needs an index: {name}[p]")
            self.pure = False
            return State(variable.type, name, None)
        value = self.scope.constant(name)
        if isinstance(value, Const):
            return value
        if value is not None:
            return self.literal(node, value, want)
        raise self.fail(
            node, f"unknown name {name!r}{nearest(name, [*self.kinds, *self.scope.names()])}"
        )

    def indexed(self, node: ast.Subscript) -> Expr:
        """What `entry[p]` and its like read, through a helper where the scope says so."""
        cell = self.cell(node)
        reader = self.scope.through(cell.name, self.source.at(node.lineno, node.col_offset))
        if reader is None:
            return cell
        self.sites += 1
        return Call(reader.returns, reader, (cell,), self.sites)

    def cell(self, node: ast.Subscript) -> State:
        """The state variable of `entry[p]` and its like, as memory has it."""
        slices, inner = [node.slice], node.value
        if isinstance(inner, ast.Subscript):
            slices, inner = [inner.slice, node.slice], inner.value
        if not isinstance(inner, ast.Name):
            raise self.fail(node, "only a state variable has an index")
        name = inner.id
        variable = self.scope.state(name)
        if variable is None:
            raise self.fail(
                node, f"unknown state variable {name!r}{nearest(name, self.scope.names())}"
            )
        counts = [count for count in (variable.count, variable.pages) if count is not None]
        if len(slices) > max(len(counts), 1):
            raise self.fail(node, "only a state variable has an index")
        if len(slices) != len(counts):
            raise self.fail(node, f"{name} has {'two indices' if counts else 'no index'}")
        found = [self.index(name, one, count) for one, count in zip(slices, counts, strict=True)]
        self.pure = False
        page = found.pop() if variable.pages is not None else None
        return State(variable.type, name, found[0] if found else None,
                     self.source.at(node.lineno, node.col_offset), page)

    def index(self, name: str, node: ast.expr, count: int) -> Expr:
        """An index of a variable, of which there are `count`."""
        index = self.expr(node, INDEX)
        self.agree(node, index, INDEX)
        if isinstance(node, ast.BinOp):
            raise self.fail(node, "an index is a name, a number or other(p)")
        if isinstance(index, Const) and not 0 <= index.value < count:
            raise self.fail(node, f"index out of range; {name} has {count}")
        return index


def loaded(node: ast.expr) -> ast.expr:
    """The expression that reads what an assignment sets."""
    if isinstance(node, ast.Name):
        return ast.copy_location(ast.Name(node.id, ast.Load()), node)
    if isinstance(node, ast.Subscript):
        return ast.copy_location(ast.Subscript(node.value, node.slice, ast.Load()), node)
    return node
