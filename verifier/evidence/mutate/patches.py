# SPDX-License-Identifier: GPL-2.0-or-later
"""The mistakes that patches to the kernel make, planted in a text by its syntax.

specs/mistakes.yaml says which statements stand for code of the kernel. The rest of a text says what
that code means, and stays as it is.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from verifier.evidence.mutate.changes import (
    Change,
    become,
    drop,
    invert,
    put,
    rename,
    set_argument,
    set_part,
    swap,
    without,
    wrap,
)
from verifier.evidence.mutate.folded import filled, folded_text
from verifier.evidence.mutate.rules import MistakeRules

__all__ = ["KINDS", "patches"]

KINDS = ("flush", "test", "re-read", "split", "mark", "order", "branch", "twin", "return", "state")
WORLD_NAMES = {"tracks_new"}
# helpers that change
BY_REFERENCE = ("ptep_", "pmdp_", "huge_ptep_", "set_", "pte_clear", "pmd_clear", "huge_pte_clear")
Made = Iterator[tuple[str, ast.AST, str, Change]]


def patches(text: str, rules: MistakeRules, level: str = "pte") -> Iterator[tuple[str, str, str]]:
    """Each mistake of a text: its kind, what was done, and the new text.

    The texts differ from each other and from the given one. Texts that differ only in what never
    runs are one mistake, and the first of them stands for it.

    >>> from verifier.run.library import load_library
    >>> library = load_library()
    >>> from verifier.evidence.mutate.rules import read_rules
    >>> rules = read_rules(library.spec_folder, library.spec)
    >>> [new for _, _, new in patches("flush(p)", rules)]
    ['pass', 'flush_later(p)']
    """
    tree = ast.parse(text)
    seen = {folded_text(ast.parse(text))}
    said: Counter[str] = Counter()
    for kind, what, place, change in _Planter(tree, rules, level).all():
        changed = ast.parse(text)  # a copy of the tree would take ten times as long
        change(list(ast.walk(changed))[place])
        ast.fix_missing_locations(changed)
        new, folded = ast.unparse(filled(changed)), folded_text(changed)
        if folded not in seen:
            seen.add(folded)
            said[what] += 1
            yield kind, what if said[what] == 1 else f"{what} ({said[what]})", new


def _name(node: ast.AST) -> str:
    """What is called, or nothing."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _short(node: ast.AST) -> str:
    return ast.unparse(node).split("\n")[0]


def _of_level(name: str) -> str:
    """The level whose entries a helper is about by its name, or nothing."""
    starts = (("pmd_", "pmd"), ("huge_pte_", "hugetlb"), ("pte_", "pte"))
    return next((level for start, level in starts if name.startswith(start)), "")


class _Planter:
    """All mistakes of one text: kind, what was done, a node's place in ast.walk, the change."""

    def __init__(self, tree: ast.Module, rules: MistakeRules, level: str) -> None:
        self.tree, self.rules, self.level = tree, rules, level
        self.place = {id(node): number for number, node in enumerate(ast.walk(tree))}
        self.kept = set[int]()  # nodes that no mistake is made in
        for node in ast.walk(tree):
            if isinstance(node, (ast.Assert, ast.stmt)) and self.truth(node):
                self.kept |= {id(n) for n in ast.walk(node)}
            if isinstance(node, (ast.If, ast.IfExp)) and self.of_world(node.test):
                self.kept |= {id(n) for n in ast.walk(node.test)}
        self.bodies = [(node, part, body) for node in ast.walk(tree) for part in ("body", "orelse")
                       if isinstance(body := getattr(node, part, None), list) and body]

    def all(self) -> Iterator[tuple[str, str, int, Change]]:
        for kind, node, what, change in (*self.flushes(), *self.tests(), *self.rereads(),
                                         *self.splits(), *self.marks(),
                                         *self.orders(), *self.branches(), *self.twins(),
                                         *self.returns(), *self.states()):
            yield kind, f"{kind}: {what}", self.place[id(node)], change

    def truth(self, stmt: ast.AST) -> bool:
        """Does a statement only say what is true, and stand for no code of the kernel?

        A branch that has only such statements does so too.
        """
        if isinstance(stmt, ast.Assert):
            return True
        if isinstance(stmt, ast.Expr):
            return _name(stmt.value) in self.rules.truth or _name(stmt.value) == "hardware"
        if isinstance(stmt, ast.Assign):
            target = stmt.targets[0]
            of = target.value if isinstance(target, ast.Subscript) else target
            return isinstance(of, ast.Name) and of.id in self.rules.world and of.id != "entry"
        if isinstance(stmt, ast.If):
            return all(self.truth(s) for s in (*stmt.body, *stmt.orelse))
        return False

    def of_world(self, test: ast.expr) -> bool:
        """Is a condition about which page is looked at, or which process?"""
        names = {n.id for n in ast.walk(test) if isinstance(n, ast.Name)}
        return bool(names) and (names <= WORLD_NAMES or ("THIRD" in names and len(names) == 2))

    def kernel(self) -> Iterator[ast.AST]:
        return (node for node in ast.walk(self.tree) if id(node) not in self.kept)

    def in_bodies(self) -> Iterator[tuple[ast.AST, str, int, ast.stmt]]:
        for node, part, body in self.bodies:
            for number, stmt in enumerate(body):
                if id(stmt) not in self.kept and not isinstance(stmt, ast.Pass):
                    yield node, part, number, stmt

    def flushes(self) -> Made:
        for node, part, number, stmt in self.in_bodies():
            name = _name(stmt.value) if isinstance(stmt, ast.Expr) else ""
            if name in self.rules.actions:
                yield "flush", node, f"drop `{_short(stmt)}`", drop(part, number)
        for node in self.kernel():
            name = _name(node)
            if name in self.rules.weaker and isinstance(node, ast.Call):
                yield "flush", node, f"`{self.rules.weaker[name]}` for `{_short(node)}`", rename(
                    self.rules.weaker[name]
                )
            if name in self.rules.actions and isinstance(node, ast.Call):
                for number, arg in enumerate(node.args[1:], 1):
                    for value in (False, True):
                        yield ("flush", node, f"`{_short(arg)}` is {value} in `{_short(node)}`",
                               set_argument(number, value))

    def tests(self) -> Made:
        for node in self.kernel():
            if _name(node) in self.rules.tests:
                for value in (False, True):
                    yield "test", node, f"`{_short(node)}` is {value}", become(ast.Constant(value))

    def reading(self, node: ast.AST) -> str:
        """The entry that an expression reads, and nothing else; empty where it does not."""
        if _name(node) in self.rules.reads and isinstance(node, ast.Call) and len(node.args) == 1:
            return ast.unparse(node.args[0])
        if (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
                and node.value.id == "entry"):
            return ast.unparse(node)
        return ""

    def rereads(self) -> Made:
        # entry -> locals that were read from it, as the text goes on
        held: dict[str, list[str]] = {}
        done = set[int]()
        for stmt in self.in_order(self.tree.body):
            if isinstance(stmt, ast.Assign) and isinstance(stmt.targets[0], ast.Name):
                local, entry = stmt.targets[0].id, self.reading(stmt.value)
                splits = _name(stmt.value) in self.rules.split
                taken = (ast.unparse(stmt.value.args[0])
                         if splits and isinstance(stmt.value, ast.Call) and stmt.value.args else "")
                if entry:
                    for known in held.get(entry, ()):
                        yield ("re-read", stmt.value, f"`{known}` for `{_short(stmt.value)}`",
                               become(ast.Name(known)))
                elif taken and id(stmt.value) not in done:
                    for known in held.get(taken, ()):
                        yield from self.stale(stmt, known)
                done |= {id(n) for n in ast.walk(stmt.value)} if entry else set()
                yield from self.stale_parts(stmt.value, held, done)
                for known_locals in held.values():
                    if local in known_locals and not (entry or taken):
                        known_locals.remove(local)
                if (entry or taken) and local not in held.setdefault(entry or taken, []):
                    held[entry or taken].append(local)
            else:
                yield from self.stale_parts(stmt.test if isinstance(stmt, ast.If) else stmt, held,
                                            done)

    def in_order(self, body: list[ast.stmt]) -> Iterator[ast.stmt]:
        for stmt in body:
            if id(stmt) in self.kept:
                continue
            yield stmt
            if isinstance(stmt, (ast.If, ast.For)):
                yield from self.in_order([*stmt.body, *stmt.orelse])

    def stale(self, stmt: ast.Assign, known: str) -> Made:
        """What was taken out is not looked at: the value that was read before is used."""
        where, part, number = self.parent(stmt)
        local = ast.unparse(stmt.targets[0])
        lines = ast.unparse(stmt.value) + (f"\n{local} = {known}" if local != known else "")
        yield "re-read", where, f"`{known}` for what `{_short(stmt.value)}` gives", put(
            part, number, lines
        )

    def stale_parts(self, node: ast.AST, held: dict[str, list[str]], done: set[int]) -> Made:
        """Reads within an expression, but not the entries that a helper is given by reference."""
        if id(node) in done or id(node) in self.kept:
            return
        entry = self.reading(node)
        if entry:
            for known in held.get(entry, ()):
                yield "re-read", node, f"`{known}` for `{_short(node)}`", become(ast.Name(known))
            return
        by_reference = _name(node).startswith(BY_REFERENCE)
        for number, child in enumerate(ast.iter_child_nodes(node)):
            if not (by_reference and number == 1) and not isinstance(child, ast.stmt):
                yield from self.stale_parts(child, held, done)

    def parent(self, stmt: ast.stmt) -> tuple[ast.AST, str, int]:
        return next((node, part, number) for node, part, body in self.bodies
                    for number, s in enumerate(body) if s is stmt)

    def splits(self) -> Made:
        for node, part, number, stmt in self.in_bodies():
            value = stmt.value if isinstance(stmt, (ast.Expr, ast.Assign)) else None
            if not isinstance(value, ast.Call):
                continue
            for lines in self.rules.split.get(_name(value), ()):
                result = ast.unparse(stmt.targets[0]) if isinstance(stmt, ast.Assign) else ""
                if "{x}" in lines and not result:
                    continue
                words = [ast.unparse(arg) for arg in value.args]
                new = lines.replace("{x}", result).replace("{e}", words[0]).replace(
                    "{1}", words[1] if len(words) > 1 else ""
                )
                yield "split", node, f"`{_short(stmt)}` as `{new}`", put(part, number, new)

    def marks(self) -> Made:
        for node in self.kernel():
            if _name(node) in self.rules.marks and isinstance(node, ast.Call) and node.args:
                yield "mark", node, f"no `{_name(node)}` in `{_short(node)}`", become(node.args[0])
        for node, part, number, stmt in self.in_bodies():
            if (isinstance(stmt, ast.Expr)
                    and _name(stmt.value) in ("set_exclusive", "clear_exclusive")):
                yield "mark", node, f"drop `{_short(stmt)}`", drop(part, number)
        yield from self.added()

    def added(self) -> Made:
        flag = any(_name(node) in ("set_exclusive", "clear_exclusive")
                   for node in ast.walk(self.tree))
        for node, part, number, stmt in self.in_bodies():
            call = stmt.value if isinstance(stmt, ast.Expr) else None
            if not isinstance(call, ast.Call) or _name(call) not in self.rules.stores:
                continue
            where = self.rules.stores[_name(call)]
            present, other = self.rules.added.get(_name(call), ((), ()))
            for mark in other if self.no_present(call.args[where]) else present:
                yield "mark", call, f"{mark} in `{_short(stmt)}`", wrap(where, mark)
            for marker in ("set_exclusive()", "clear_exclusive()") if flag else ():
                yield "mark", node, f"`{marker}` before `{_short(stmt)}`", put(
                    part, number, f"{marker}\n{ast.unparse(stmt)}"
                )

    def no_present(self, value: ast.expr) -> bool:
        """Is it made, somewhere in the text, as what is no present entry?"""
        names = {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}
        sources = [value, *(n.value for n in ast.walk(self.tree) if isinstance(n, ast.Assign)
                            and isinstance(n.targets[0], ast.Name) and n.targets[0].id in names)]
        called = {_name(n) for source in sources for n in ast.walk(source)}
        return any(name in self.rules.other or "_swp_" in name for name in called)

    def orders(self) -> Made:
        for node, part, body in self.bodies:
            mine = [(n, s) for n, s in enumerate(body) if id(s) not in self.kept
                    and not isinstance(s, ast.Pass)]
            for (i, one), (j, two) in pairwise(mine):
                if self.dependent(one, two):
                    yield "order", node, f"`{_short(two)}` before `{_short(one)}`", swap(part, i, j)

    def dependent(self, one: ast.stmt, two: ast.stmt) -> bool:
        """May the order of two statements matter?

        It may where both look outside, or one sets what the other reads or sets.
        """
        sets = [{n.id for n in ast.walk(s) if isinstance(n, ast.Name)
                 and isinstance(n.ctx, ast.Store)} for s in (one, two)]
        reads = [{n.id for n in ast.walk(s) if isinstance(n, ast.Name)
                  and isinstance(n.ctx, ast.Load)} for s in (one, two)]
        if sets[0] & (sets[1] | reads[1]) or sets[1] & reads[0]:
            return True
        return all(self.outside(s) for s in (one, two)) and any(self.acts(s) for s in (one, two))

    def outside(self, stmt: ast.stmt) -> bool:
        """Does it read or change more than locals?"""
        known = self.rules.world | self.rules.sets
        return any((isinstance(n, ast.Name) and n.id in known) or self.is_act(n)
                   or _name(n) in self.rules.tests
                   or isinstance(n, ast.Return) for n in ast.walk(stmt))

    def acts(self, stmt: ast.stmt) -> bool:
        """Does it change something, or end the text?"""
        known = self.rules.world | self.rules.sets
        return any(self.is_act(n) or isinstance(n, ast.Return)
                   or (isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n.id in known)
                   for n in ast.walk(stmt))

    def is_act(self, node: ast.AST) -> bool:
        name = _name(node)
        rules = self.rules
        return (name in rules.actions or name in rules.split or name in rules.stores
                or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)))

    def branches(self) -> Made:
        for node in self.kernel():
            if isinstance(node, (ast.If, ast.IfExp)) and id(node.test) not in self.kept:
                shown = _short(node.test)
                yield "branch", node, f"not `{shown}`", invert
                for value in (True, False):
                    yield "branch", node, f"`{shown}` is {value}", set_part(
                        "test", ast.Constant(value)
                    )
            elif isinstance(node, ast.BoolOp):
                for number, part in enumerate(node.values):
                    if id(part) not in self.kept and not self.of_world(part):
                        yield ("branch", node, f"without `{_short(part)}` in `{_short(node)}`",
                               without(number))
        for _, _, body in self.bodies:
            for one, two in pairwise(body):
                if all(isinstance(s, ast.If) and id(s) not in self.kept
                       and id(s.test) not in self.kept for s in (one, two)):
                    for mine, other in ((one, two), (two, one)):
                        yield ("branch", mine, f"`{_short(mine.test)}` and `{_short(other.test)}`",
                               set_part("test", ast.BoolOp(ast.And(), [mine.test, other.test])))

    def twins(self) -> Made:
        for node in self.kernel():
            for twin in self.rules.twins.get(_name(node), ()):
                if _of_level(twin) in ("", _of_level(_name(node)) or self.level):
                    yield "twin", node, f"`{twin}` for `{_short(node)}`", rename(twin)

    def returns(self) -> Made:
        for node, part, number, stmt in self.in_bodies():
            if isinstance(stmt, ast.Return) and stmt.value is None:
                test = f" under `{_short(node.test)}`" if isinstance(node, ast.If) else ""
                yield "return", node, f"no return{test}", drop(part, number)
            elif isinstance(stmt, ast.Return) and stmt.value is not None:
                for value in (True, False):
                    yield "return", stmt, f"`{_short(stmt)}` is {value}", set_part(
                        "value", ast.Constant(value)
                    )

    def states(self) -> Made:
        for node, part, number, stmt in self.in_bodies():
            if isinstance(stmt, ast.Assign):
                target = stmt.targets[0]
                stored = (isinstance(target, ast.Subscript)
                          or (isinstance(target, ast.Name) and target.id in self.rules.sets))
                if stored:
                    yield "state", node, f"drop `{_short(stmt)}`", drop(part, number)
            elif (isinstance(stmt, ast.Expr)
                    and (self.is_act(stmt) or _name(stmt.value) in self.rules.marks)):
                yield "state", node, f"drop `{_short(stmt)}`", drop(part, number)
