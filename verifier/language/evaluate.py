# SPDX-License-Identifier: GPL-2.0-or-later
"""The one evaluator: walks a typed program over an algebra.

Both ways of an `if` are walked and merged, so that a program becomes one term. Where the algebra
knows the condition, as plain integers always do, only one way is walked. A bare Machine is enough
for pure helpers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from verifier.language.algebra import B, W
from verifier.language.joining import Reached, join, join_values, merge
from verifier.language.machine import WAS, Frame, Machine, Refs, Room
from verifier.language.operators import INDICES, TRUTHS, VALUES, WORDS, key_of
from verifier.language.rules import row
from verifier.language.syntax import (
    BOOL,
    Assert,
    Assign,
    Call,
    Do,
    Expr,
    Function,
    Hardware,
    If,
    Local,
    Observe,
    Return,
    State,
    Stmt,
)
from verifier.language.values import Value, as_truth, as_word

__all__ = ["answered", "call", "evaluated", "truth_of", "word_of"]


def truth_of(machine: Machine[W, B], function: Function, args: tuple[Value, ...]) -> B:
    """The boolean that a function returns on these arguments."""
    assert function.returns == BOOL, f"{function.name} returns no boolean"
    return cast(B, call(machine, function, args))


def word_of(machine: Machine[W, B], function: Function, args: tuple[Value, ...]) -> W:
    """The word that a function returns on these arguments."""
    assert function.returns > 0, f"{function.name} returns no word"
    return cast(W, call(machine, function, args))


def call(
    machine: Machine[W, B], function: Function, args: tuple[Value, ...], refs: Refs | None = None
) -> Value:
    """The value that a function returns on these arguments; None where it returns nothing.

    `refs` maps each by-reference parameter to the process whose entry it is.
    """
    return (_walk(machine, function, args, refs) if function.twin is None
            else _at_level(machine, function, args))


def _at_level(m: Machine[W, B], function: Function, args: tuple[Value, ...]) -> Value:
    """A reading of a process (the first argument) at the level of its entry, or of its walk.

    Where the level is not known, both readings are merged.
    """
    assert function.twin is not None
    process = args[0]
    assert isinstance(process, int)
    huge = as_truth(m.alg, m.state[function.by, process])
    known = m.alg.known(huge)
    if known is not None:
        return _walk(m, function.twin if known else function, args, None)
    then, orelse = [_walk(m, one, args, None) for one in (function.twin, function)]
    return merge(m, huge, then, orelse, function.returns)


def _before(m: Machine[W, B], function: Function, args: tuple[Value, ...]) -> Value:
    """A view of a process, evaluated on the state before the step (the `was_` variables)."""
    # The view's text has the plain names. It sees the old state if that goes by these for a while.
    now, m.state = m.state, {
        (key[len(WAS):] if isinstance(key, str) else (key[0][len(WAS):], key[1])): value
        for key, value in m.state.items()
        if (key if isinstance(key, str) else key[0]).startswith(WAS)}
    try:
        return call(m, function, args)
    finally:
        m.state = now


def _walk(
    machine: Machine[W, B], function: Function, args: tuple[Value, ...], refs: Refs | None
) -> Value:
    frame: Frame[W, B] = Frame(
        function, dict(zip((p.name for p in function.params), args, strict=True)), refs or {})
    path = machine.path
    _block(machine, frame, function.body)
    # What the callee has branched on is no condition of what comes after the call.
    machine.path = path
    return frame.result


def evaluated(
    machine: Machine[W, B], function: Function, args: Mapping[str, Value]
) -> tuple[Value, dict[str, Value]]:
    """The value of a function on arguments by name, and the values of its parameters after it.

    The value is None where the function returns nothing. A parameter by reference is a cell of its
    own here, which belongs to no process.
    """
    frame: Frame[W, B] = Frame(
        function, dict(args), {p.name: None for p in function.params if p.by_ref})
    _block(machine, frame, function.body)
    return frame.result, frame.values


def answered(
    machine: Machine[W, B], function: Function, args: tuple[Value, ...]
) -> tuple[Value, dict[str, Value]]:
    """The result of a helper, and what it leaves in its by-reference parameters.

    The memory's answer is taken where it has one, else the body is evaluated.
    """
    if function.pure:
        try:
            return machine.memo[function, args], {}
        except KeyError:
            return call(machine, function, args), {}
    found = machine.memo.by_reference(function, args, Room(machine, {}, 0))
    # An answer that holds in part is no use here: only a call within a text can walk the rest.
    if found is not None and machine.alg.known(found[2]) is False:
        return found[0], found[1]
    return evaluated(
        machine, function, dict(zip((p.name for p in function.params), args, strict=True))
    )


def _call_expr(m: Machine[W, B], frame: Frame[W, B], node: Call) -> Value:
    function = node.function
    args = tuple([VALUES[type(a)](m, frame, a) for a in node.args])
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
    if function.changes and not refs:
        m.ended(function.name, args, node.site)
    # A helper that passes its entry on has refs of its own; only the text's call counts.
    if refs and not frame.refs:
        pairs = zip(function.params, args, strict=True)
        given = as_word(m.alg, next(arg for param, arg in pairs if param.by_ref))
        m.leaving(function, next(iter(refs.values())), given, result, node.site)
    return result


def _changing(
    m: Machine[W, B], frame: Frame[W, B], node: Call, args: tuple[Value, ...], refs: Refs
) -> Value:
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
    callee: Frame[W, B] = Frame(
        function, dict(zip((p.name for p in function.params), args, strict=True)), refs)
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
    # The walk has started from the state before the call, and `after` is what the answer leaves.
    # So both are whole states, and a merge takes each variable from the one or the other.
    result, entries, unless = answer
    m.state = join_values(m, unless, m.state, after, m.kinds)
    kinds = {param.name: param.type for param in function.params}
    merged = {name: merge(m, unless, callee.values[name], value, kinds[name])
              for name, value in entries.items()}
    _store_refs(m, frame, node, merged)
    return result if result is None else merge(m, unless, callee.result, result, function.returns)


def _store_refs(m: Machine[W, B], frame: Frame[W, B], node: Call, values: dict[str, Value]) -> None:
    """Write back what a call left in its by-reference parameters."""
    for param, arg in zip(node.function.params, node.args, strict=True):
        if param.by_ref:
            assert isinstance(arg, (Local, State))
            _store(m, frame, arg, values[param.name])


def _process_of(m: Machine[W, B], frame: Frame[W, B], target: Expr) -> int | None:
    """The process whose entry a target is: the index in entry[p], or a by-reference parameter's."""
    if isinstance(target, State):
        return (INDICES[type(target.index)](m, frame, target.index) if target.index is not None
                else None)
    assert isinstance(target, Local)
    return frame.refs.get(target.name)


def _observe(m: Machine[W, B], frame: Frame[W, B], node: Observe) -> B:
    args = tuple([VALUES[type(a)](m, frame, a) for a in node.args])
    return m.observe(node.name, args, m.label(node.site))


VALUES.update([row(Call, _call_expr), row(Observe, _observe)])


def _store(m: Machine[W, B], frame: Frame[W, B], target: Local | State, value: Value) -> None:
    if isinstance(target, Local):
        frame.values[target.name] = value
    else:
        m.state[key_of(m, frame, target)] = value


def _block(m: Machine[W, B], frame: Frame[W, B], body: tuple[Stmt, ...]) -> None:
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
            stopped = Reached(m.state, frame.values, frame.returned, frame.result)
            join(m, frame, going, _branch(m, frame, going, rest), stopped)
        return


def _branch(m: Machine[W, B], frame: Frame[W, B], test: B, body: tuple[Stmt, ...]) -> Reached[B]:
    """The state after running body where test holds; machine and frame are left as they were."""
    # The body works on copies, and the originals go back: the other branch starts from the same.
    # Nobody has returned on this way yet, or the statement would not be reached.
    path, before = m.path, Reached(m.state, frame.values, frame.returned, frame.result)
    m.path = m.alg.all(path, test)
    m.state, frame.values, frame.returned, frame.result = (dict(before.state), dict(before.values),
                                                           None, None)
    _block(m, frame, body)
    way: Reached[B] = Reached(m.state, frame.values, frame.returned, frame.result)
    m.path = path
    m.state, frame.values, frame.returned, frame.result = (before.state, before.values,
                                                           before.returned, before.result)
    return way


def _assign(m: Machine[W, B], frame: Frame[W, B], stmt: Assign) -> None:
    _store(m, frame, stmt.target, VALUES[type(stmt.value)](m, frame, stmt.value))


def _if(m: Machine[W, B], frame: Frame[W, B], stmt: If) -> None:
    test = TRUTHS[type(stmt.test)](m, frame, stmt.test)
    known = m.alg.known(test)
    if known is not None:
        # Plain integers always come here. So one evaluator runs a text as well as it models it.
        _block(m, frame, stmt.then if known else stmt.orelse)
        return
    then = _branch(m, frame, test, stmt.then)
    join(m, frame, test, then, _branch(m, frame, m.alg.neg(test), stmt.orelse))


def _return(m: Machine[W, B], frame: Frame[W, B], stmt: Return) -> None:
    if stmt.value is not None:
        frame.result = VALUES[type(stmt.value)](m, frame, stmt.value)
    # True of this way alone. Where ways meet, join() makes it a condition.
    frame.returned = m.alg.truth(True)


def _assert(m: Machine[W, B], frame: Frame[W, B], stmt: Assert) -> None:
    m.violate(stmt.property, m.alg.neg(TRUTHS[type(stmt.test)](m, frame, stmt.test)))


def _hardware(m: Machine[W, B], frame: Frame[W, B], stmt: Hardware) -> None:
    process = _process_of(m, frame, stmt.target)
    entry = WORDS[type(stmt.target)](m, frame, stmt.target)
    _store(m, frame, stmt.target, m.hardware(process, entry, m.label(stmt.site)))


def _do(m: Machine[W, B], frame: Frame[W, B], stmt: Do) -> None:
    VALUES[type(stmt.value)](m, frame, stmt.value)


_STMT = dict([
    row(Assign, _assign), row(If, _if), row(Return, _return), row(Assert, _assert),
    row(Hardware, _hardware), row(Do, _do),
])
