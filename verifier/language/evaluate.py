# SPDX-License-Identifier: GPL-2.0-or-later
"""The one evaluator: walks a typed program over an algebra.

Both ways of an `if` are walked and merged, so that a program becomes one term. Where the algebra
knows the condition, as plain integers always do, only one way is walked. A bare Machine is enough
for pure helpers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from verifier.language.machine import HUGE, WAS, Frame, Key, Machine, Room
from verifier.language.syntax import (
    BOOL,
    INDEX,
    Assert,
    Assign,
    Binary,
    Call,
    Compare,
    Const,
    Convert,
    Do,
    Expr,
    Function,
    Hardware,
    If,
    IfExp,
    Local,
    Logic,
    Not,
    Observe,
    Return,
    State,
    Stmt,
)

__all__ = ["answered", "call", "evaluated"]

def call(machine: Machine, function: Function, args: tuple[Any, ...],
         refs: dict[str, Any] | None = None) -> Any:
    """The value that a function returns on these arguments; None where it returns nothing.

    `refs` maps each by-reference parameter to the process whose entry it is.
    """
    return (_walk(machine, function, args, refs) if function.twin is None
            else _at_level(machine, function, args))


def _at_level(m: Machine, function: Function, args: tuple[Any, ...]) -> Any:
    """A reading of a process (the first argument) at the level of its entry.

    Where the level is not known, both readings are merged.
    """
    assert function.twin is not None
    huge = m.state[HUGE, args[0]]
    known = m.alg.known(huge)
    if known is not None:
        return _walk(m, function.twin if known else function, args, None)
    then, orelse = (_walk(m, one, args, None) for one in (function.twin, function))
    return _merge(m, huge, then, orelse, function.returns)


def _before(m: Machine, function: Function, args: tuple[Any, ...]) -> Any:
    """A view of a process, evaluated on the state before the step (the `was_` variables)."""
    now, m.state = m.state, {
        (key[len(WAS):] if isinstance(key, str) else (key[0][len(WAS):], key[1])): value
        for key, value in m.state.items()
        if (key if isinstance(key, str) else key[0]).startswith(WAS)}
    try:
        return call(m, function, args)
    finally:
        m.state = now


def _walk(machine: Machine, function: Function, args: tuple[Any, ...],
          refs: dict[str, Any] | None) -> Any:
    frame = Frame(function, dict(zip((p.name for p in function.params), args, strict=True)),
                  refs or {})
    path = machine.path
    _block(machine, frame, function.body)
    machine.path = path
    return frame.result


def evaluated(
    machine: Machine, function: Function, args: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """The value of a function on arguments by name, and the values of its parameters after it.

    The value is None where the function returns nothing. A parameter by reference is a cell of its
    own here, which belongs to no process.
    """
    frame = Frame(function, dict(args), {p.name: None for p in function.params if p.by_ref})
    _block(machine, frame, function.body)
    return frame.result, frame.values


def answered(
    machine: Machine, function: Function, args: tuple[Any, ...]
) -> tuple[Any, dict[str, Any]]:
    """The result of a helper, and what it leaves in its by-reference parameters.

    The memory's answer is taken where it has one, else the body is evaluated.
    """
    if function.pure:
        try:
            return machine.memo[function, args], {}
        except KeyError:
            return call(machine, function, args), {}
    found = machine.memo.by_reference(function, args, Room(machine, {}, 0))
    if found is not None and machine.alg.known(found[2]) is False:
        return found[0], found[1]
    return evaluated(
        machine, function, dict(zip((p.name for p in function.params), args, strict=True))
    )


def _call_expr(m: Machine, frame: Frame, node: Call) -> Any:
    function = node.function
    args = tuple([_EXPR[type(a)](m, frame, a) for a in node.args])
    if function.before:
        return _before(m, function, args)
    if function.twin is not None:
        return _at_level(m, function, args)
    if function.pure:
        # Algebras intern their words, so equal arguments are equal keys. Each pure call is walked
        # once.
        key = (function, args)
        try:
            return m.memo[key]
        except KeyError:
            value = m.memo[key] = call(m, function, args)
            return value
    if function.name in m.skipped:
        return None
    refs = {param.name: _process_of(m, frame, arg)
            for param, arg in zip(function.params, node.args, strict=True) if param.by_ref}
    if args:
        m.entering(function.name, next(iter(refs.values()), args[0]), node.site)
    result = _changing(m, frame, node, args, refs)
    # A helper that passes its entry on has refs of its own; only the text's call counts.
    if refs and not frame.refs:
        given = next(arg for param, arg in zip(function.params, args, strict=True) if param.by_ref)
        m.leaving(function, next(iter(refs.values())), given, result, node.site)
    return result


def _changing(m: Machine, frame: Frame, node: Call, args: tuple[Any, ...],
              refs: dict[str, Any]) -> Any:
    """The result of a call that may change the world or the entries that it is given.

    The machine's memory may answer it. Where that answer holds only in part, the body is walked for
    the rest, and the two are merged.
    """
    function = node.function
    room = Room(m, refs, node.site)
    answer = m.memo.by_reference(function, args, room)
    if answer is not None and m.alg.known(answer[2]) is False:
        _store_refs(m, frame, node, answer[1])
        return answer[0]
    # The answer says nothing where answer[2] holds. The body is walked for that part alone: on a
    # path where it holds, from the state before the call.
    callee = Frame(function, dict(zip((p.name for p in function.params), args, strict=True)), refs)
    path, after = m.path, None
    if answer is not None:
        after = room.leave(answer[2])
        m.path = m.alg.all(path, answer[2])
    m.stack.append(str(node.site))
    _block(m, callee, function.body)
    m.stack.pop()
    m.path = path
    if answer is None or after is None:
        _store_refs(m, frame, node, callee.values)
        return callee.result
    result, entries, unless = answer
    m.state = _join_values(m, unless, m.state, after, m.kinds)
    kinds = {param.name: param.type for param in function.params}
    merged = {name: _merge(m, unless, callee.values[name], value, kinds[name])
              for name, value in entries.items()}
    _store_refs(m, frame, node, merged)
    return result if result is None else _merge(m, unless, callee.result, result, function.returns)


def _store_refs(m: Machine, frame: Frame, node: Call, values: dict[str, Any]) -> None:
    """Write back what a call left in its by-reference parameters."""
    for param, arg in zip(node.function.params, node.args, strict=True):
        if param.by_ref:
            assert isinstance(arg, (Local, State))
            _store(m, frame, arg, values[param.name])


def _process_of(m: Machine, frame: Frame, target: Expr) -> Any:
    """The process whose entry a target is: the index in entry[p], or a by-reference parameter's."""
    if isinstance(target, State):
        return (_EXPR[type(target.index)](m, frame, target.index) if target.index is not None
                else None)
    assert isinstance(target, Local)
    return frame.refs.get(target.name)


def _const(m: Machine, frame: Frame, node: Const) -> Any:
    if node.type == BOOL:
        return m.alg.truth(bool(node.value))
    return node.value if node.type == INDEX else m.alg.word(node.value, node.type)


def _local(m: Machine, frame: Frame, node: Local) -> Any:
    return frame.values[node.name]


def _key(m: Machine, frame: Frame, node: State) -> Key:
    if node.index is None:
        return node.name
    return (node.name, _EXPR[type(node.index)](m, frame, node.index))


def _state(m: Machine, frame: Frame, node: State) -> Any:
    return m.state[_key(m, frame, node)]


def _not(m: Machine, frame: Frame, node: Not) -> Any:
    value = _EXPR[type(node.value)](m, frame, node.value)
    return m.alg.neg(value) if node.type == BOOL else m.alg.bnot(value, node.type)


def _binary(m: Machine, frame: Frame, node: Binary) -> Any:
    left = _EXPR[type(node.left)](m, frame, node.left)
    right = _EXPR[type(node.right)](m, frame, node.right)
    if node.type == INDEX:
        return left + right if node.op == "add" else left - right
    return getattr(m.alg, node.op)(left, right, node.type)


def _compare(m: Machine, frame: Frame, node: Compare) -> Any:
    left = _EXPR[type(node.left)](m, frame, node.left)
    right = _EXPR[type(node.right)](m, frame, node.right)
    alg, of = m.alg, node.of
    if of == INDEX:
        results = {"eq": left == right, "ne": left != right, "ult": left < right,
                   "ule": left <= right}
        return alg.truth(results[node.op])
    if node.op == "ult":
        return alg.ult(left, right, of)
    if node.op == "ule":
        return alg.neg(alg.ult(right, left, of))
    equal = alg.same(left, right) if of == BOOL else alg.eq(left, right, of)
    return equal if node.op == "eq" else alg.neg(equal)


def _logic(m: Machine, frame: Frame, node: Logic) -> Any:
    """`and` and `or`; operands behind a known answer are not evaluated."""
    stop = node.op == "any"
    values = []
    for value_node in node.values:
        value = _EXPR[type(value_node)](m, frame, value_node)
        known = m.alg.known(value)
        if known is stop:
            return value
        if known is None:
            values.append(value)
    return m.alg.any(*values) if stop else m.alg.all(*values)


def _ifexp(m: Machine, frame: Frame, node: IfExp) -> Any:
    test = _EXPR[type(node.test)](m, frame, node.test)
    known = m.alg.known(test)
    if known is not None:
        chosen = node.then if known else node.orelse
        return _EXPR[type(chosen)](m, frame, chosen)
    then = _EXPR[type(node.then)](m, frame, node.then)
    orelse = _EXPR[type(node.orelse)](m, frame, node.orelse)
    return _merge(m, test, then, orelse, node.type)


def _convert(m: Machine, frame: Frame, node: Convert) -> Any:
    value = _EXPR[type(node.value)](m, frame, node.value)
    alg, width, of = m.alg, node.type, node.value.type
    if of == INDEX:
        return alg.word(value, width)
    if of == BOOL:
        return alg.ite(value, alg.word(1, width), alg.word(0, width), width)
    return (alg.zext(value, of, width) if of < width else alg.extract(value, 0, width) if of > width
            else value)


def _observe(m: Machine, frame: Frame, node: Observe) -> Any:
    args = tuple([_EXPR[type(a)](m, frame, a) for a in node.args])
    return m.observe(node.name, args, m.label(node.site))


# A table by type: a chain of tests would be tried anew at every node.
_EXPR: dict[type, Callable[[Machine, Frame, Any], Any]] = {
    Const: _const, Local: _local, State: _state, Not: _not, Binary: _binary, Compare: _compare,
    Logic: _logic, IfExp: _ifexp, Convert: _convert, Call: _call_expr, Observe: _observe,
}


def evaluate(machine: Machine, frame: Frame, node: Expr) -> Any:
    """The value of an expression."""
    return _EXPR[type(node)](machine, frame, node)


def _merge(m: Machine, test: Any, then: Any, orelse: Any, kind: int) -> Any:
    """`then` where the test holds, else `orelse`; None stands for no value, which is never read."""
    if then is orelse or orelse is None or kind == INDEX:
        return then
    if then is None:
        return orelse
    if kind == BOOL:
        return m.alg.choose(test, then, orelse)
    return m.alg.ite(test, then, orelse, kind)


def _store(m: Machine, frame: Frame, target: Local | State, value: Any) -> None:
    if isinstance(target, Local):
        frame.values[target.name] = value
    else:
        m.state[_key(m, frame, target)] = value


def _block(m: Machine, frame: Frame, body: tuple[Stmt, ...]) -> None:
    """Run statements; those behind a `return` run only on the ways that have not returned."""
    for number, stmt in enumerate(body):
        _STMT[type(stmt)](m, frame, stmt)
        if frame.returned is None:
            continue
        # `returned` is a condition, not a flag. The rest runs under its negation, as one branch
        # that is merged with the ways that have returned.
        rest = body[number + 1:]
        if rest and not m.alg.known(frame.returned):
            going = m.alg.neg(frame.returned)
            stopped = _Way(m.state, frame.values, frame.returned, frame.result)
            _join(m, frame, going, _branch(m, frame, going, rest), stopped)
        return


@dataclass(slots=True)
class _Way:
    """The state that one way through a program has reached."""

    state: dict[Key, Any]
    values: dict[str, Any]
    returned: Any
    result: Any


def _branch(m: Machine, frame: Frame, test: Any, body: tuple[Stmt, ...]) -> _Way:
    """The state after running body where test holds; machine and frame are left as they were."""
    path, before = m.path, _Way(m.state, frame.values, frame.returned, frame.result)
    m.path = m.alg.all(path, test)
    m.state, frame.values, frame.returned, frame.result = (dict(before.state), dict(before.values),
                                                           None, None)
    _block(m, frame, body)
    way = _Way(m.state, frame.values, frame.returned, frame.result)
    m.path = path
    m.state, frame.values, frame.returned, frame.result = (before.state, before.values,
                                                           before.returned, before.result)
    return way


def _join(m: Machine, frame: Frame, test: Any, then: _Way, orelse: _Way) -> None:
    """Merge two ways: `then` where the test holds, else `orelse`."""
    m.state = _join_values(m, test, then.state, orelse.state, m.kinds)
    frame.values = _join_values(m, test, then.values, orelse.values, frame.function.kinds)
    if then.returned is None and orelse.returned is None:
        return
    # None means "on no way so far": code without a return builds no terms for it.
    no = m.alg.truth(False)
    left = no if then.returned is None else then.returned
    right = no if orelse.returned is None else orelse.returned
    frame.returned = m.alg.choose(test, left, right)
    if m.alg.known(frame.returned) is False:
        frame.returned = None
    frame.result = _merge(m, test, then.result, orelse.result, frame.function.returns)


def _join_values(
    m: Machine, test: Any, then: dict[Any, Any], orelse: dict[Any, Any], kinds: dict[str, int]
) -> dict[Any, Any]:
    # Most values are the same object on both ways, and need no term.
    joined = dict(orelse)
    for key, value in then.items():
        other = joined.get(key)
        if other is not value:
            joined[key] = _merge(m, test, value, other,
                                 kinds[key if isinstance(key, str) else key[0]])
    return joined


def _assign(m: Machine, frame: Frame, stmt: Assign) -> None:
    _store(m, frame, stmt.target, _EXPR[type(stmt.value)](m, frame, stmt.value))


def _if(m: Machine, frame: Frame, stmt: If) -> None:
    test = _EXPR[type(stmt.test)](m, frame, stmt.test)
    known = m.alg.known(test)
    if known is not None:
        _block(m, frame, stmt.then if known else stmt.orelse)
        return
    then = _branch(m, frame, test, stmt.then)
    _join(m, frame, test, then, _branch(m, frame, m.alg.neg(test), stmt.orelse))


def _return(m: Machine, frame: Frame, stmt: Return) -> None:
    if stmt.value is not None:
        frame.result = _EXPR[type(stmt.value)](m, frame, stmt.value)
    frame.returned = m.alg.truth(True)


def _assert(m: Machine, frame: Frame, stmt: Assert) -> None:
    m.violate(stmt.property, m.alg.neg(_EXPR[type(stmt.test)](m, frame, stmt.test)))


def _hardware(m: Machine, frame: Frame, stmt: Hardware) -> None:
    process = _process_of(m, frame, stmt.target)
    entry = _EXPR[type(stmt.target)](m, frame, stmt.target)
    _store(m, frame, stmt.target, m.hardware(process, entry, m.label(stmt.site)))


def _do(m: Machine, frame: Frame, stmt: Do) -> None:
    _EXPR[type(stmt.value)](m, frame, stmt.value)


_STMT: dict[type, Callable[[Machine, Frame, Any], None]] = {
    Assign: _assign, If: _if, Return: _return, Assert: _assert, Hardware: _hardware, Do: _do,
}
