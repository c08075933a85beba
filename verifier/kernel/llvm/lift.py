# SPDX-License-Identifier: GPL-2.0-or-later
"""A function of LLVM's intermediate representation becomes a formula over an Algebra, exact or not
at all.

`Lifter.call` walks a function once, in order, and merges ways that meet. What it does not know
raises NotModelled. Where LLVM says that behaviour is undefined (a promise broken, `unreachable`, a
false assumption, a branch on poison), the condition is kept in `Lifter.undefined`; a claim about
the result holds only where none of them does.

One thread runs alone, unless `windows` lets others act on an entry between its events. An atomic
read-modify-write is one event.
"""

from __future__ import annotations

from collections.abc import Sequence

from verifier.kernel.llvm.access import load, store
from verifier.kernel.llvm.block_order import Loop, Part, order
from verifier.kernel.llvm.branches import ENDS
from verifier.kernel.llvm.constants import value_of
from verifier.kernel.llvm.context import CallFrame, Context, OutOfScope
from verifier.kernel.llvm.instructions import STEPS
from verifier.kernel.llvm.ir import Instr, IrFunction, IrParam
from verifier.kernel.llvm.objects import Contents, Object
from verifier.kernel.llvm.read_module import Module
from verifier.kernel.llvm.read_words import IrError
from verifier.kernel.llvm.undefined import Undefinedness
from verifier.kernel.llvm.values import (
    ENDLESS,
    AllOutside,
    EndlessLoop,
    NeverReturns,
    NotModelled,
    Value,
)
from verifier.kernel.llvm.ways import WayState

__all__ = ["Lifter"]

MOST_BLOCKS = 30_000  # walked in one call of `call`
DEEPEST = 40  # calls


class NoReturn(Exception):
    """A function that returns on no way. The text is its name."""


class Lifter(Context):
    """Walks functions of one program over one algebra; not to be shared between helpers."""

    _walked = 0  # blocks

    def call(
        self, name: str, args: Sequence[Value], memory: dict[Object, Contents] | None = None
    ) -> tuple[Value | None, WayState]:
        """What the function returns, and the state it leaves. Raises NotModelled.

        Where the function does not return, the condition is among `undefined`.
        """
        try:
            for module in self.program.modules:
                function = module.function(name)
                if function is not None:
                    return self.run(
                        module, function, list(args), WayState((), {}, dict(memory or {}))
                    )
        except IrError as error:
            raise NotModelled(f"text of the intermediate representation: {error}") from error
        except NoReturn as callee:
            reasons = [u.reason for u in (*self.lost, *self.outside)]
            if self.outside and not self.lost and not self.undefined:
                raise AllOutside(reasons[0]) from None
            raise NeverReturns(reasons[0] if reasons else f"{callee} never returns") from None
        except RecursionError:
            raise NotModelled("nested too deep") from None
        raise NotModelled(f"no function {name}")

    def run(
        self, module: Module, function: IrFunction, args: list[Value], state: WayState
    ) -> tuple[Value | None, WayState]:
        """Walk a function from a state on."""
        if len(args) != len(function.params):
            raise NotModelled(f"{function.name} is called with {len(args)} arguments")
        env = {}
        for param, arg in zip(function.params, args, strict=True):
            if param.element is not None:
                arg = self._copied(module, param, arg, state)
            env[param.name] = self.promised(
                state, arg, param.noundef, param.bounds, f"argument {param.name}"
            )
        frame = CallFrame(module, function, {b.label: b for b in function.blocks})
        frame.incoming[function.blocks[0].label] = [("", WayState(state.path, env, state.memory))]
        if len(self.frames) >= DEEPEST:
            raise NotModelled("calls nest too deep")
        self.functions.add(function.name)
        self.frames.append(frame)
        try:
            self._parts(frame, order(function))
        finally:
            self.frames.pop()
        return self._returned(frame, state)

    def _copied(self, module: Module, param: IrParam, arg: Value, state: WayState) -> Value:
        """byval: the callee has a copy of its own of what the argument points to."""
        if param.element is None:
            raise NotModelled(f"%{param.name} is no copy")
        copy = self.pointer(Object(f"%{param.name}", module.layout.size(param.element), 16))
        value = load(
            self, module, param.element, self.values.as_address(arg, self.pointer_width), state
        )
        store(self, module, param.element, copy, value, state)
        return copy

    def _returned(self, frame: CallFrame, before: WayState) -> tuple[Value | None, WayState]:
        if not frame.returned:
            raise NoReturn(frame.function.name)
        states = []
        for state, value in frame.returned:
            env = {} if value is None else {"": value}
            states.append(WayState(state.path, env, state.memory))
        state = self.paths.merge(states)  # ways that do not return are among `undefined`
        value = state.env.get("")
        if value is not None:
            value = self.promised(
                state, value, frame.function.noundef, frame.function.bounds, "the result"
            )
        # The caller goes on as it was, with the callee's memory: how the callee got there is in the
        # values, and its own names mean nothing outside.
        return value, WayState(before.path, before.env, state.memory)

    def _parts(self, frame: CallFrame, parts: tuple[Part, ...]) -> None:
        for part in parts:
            if isinstance(part, Loop):
                self._loop(frame, part)
            elif frame.incoming.get(part):
                self._block(frame, part, frame.incoming.pop(part))

    def _loop(self, frame: CallFrame, loop: Loop) -> None:
        """Walk a loop until no way leads back to its header."""
        for rounds in range(self.most_rounds):
            edges = frame.incoming.pop(loop.header, [])
            # Only constants end a loop by themselves. Elsewhere a solver may say that no way is
            # left; whether there is a first round is for the code before it to say.
            if rounds and self.feasible is not None:
                edges = [e for e in edges if self.feasible(self.paths.condition(e[1].path))]
            if not edges:
                frame.rounds.pop(loop.header, None)
                return
            frame.rounds[loop.header] = rounds
            self._block(frame, loop.header, edges)
            self._parts(frame, loop.body)
        raise EndlessLoop(f"a loop of {frame.function.name} {ENDLESS} {self.most_rounds} rounds")

    def _block(self, frame: CallFrame, label: str, edges: list[tuple[str, WayState]]) -> None:
        """Walk one block from the states that lead to it."""
        self._walked += 1
        if self._walked > MOST_BLOCKS:
            raise NotModelled("too many blocks")
        block = frame.blocks[label]
        phis = [i for i in block.instrs if i.op == "phi"]
        # Phis first, while it is known where each way came from; then the ways become one.
        states = [self._enter(frame, phis, source, state) for source, state in edges]
        state = self.paths.merge(states)
        # Steps change the state, and a merge of one way is that way's own.
        state = WayState(state.path, dict(state.env), dict(state.memory))
        for frame.at, instr in enumerate(block.instrs[len(phis):], len(phis)):
            frame.label = label
            if instr.op in ENDS:
                ENDS[instr.op](self, frame, label, instr, state)
                return
            before = len(self.undefined), len(self.lost), len(self.outside)
            try:
                self._step(frame, instr, state)
            except NoReturn as callee:
                only_outside = before[:2] == (len(self.undefined), len(self.lost)) and before[
                    2
                ] < len(self.outside)
                if not only_outside:  # else each of its ways has told so
                    self.undefine(state, self.values.yes, f"{callee} does not return")
                return
            except NotModelled as error:
                # What is not modelled here is lost on this way alone: a claim says nothing there.
                # If all ways come here, nothing is left to be claimed.
                where = self.paths.condition(state.path)
                if self.alg.known(where) is True:
                    raise
                self.lost.append(Undefinedness(where, str(error)))
                return
            except OutOfScope as reason:
                self.outside.append(Undefinedness(self.paths.condition(state.path), str(reason)))
                return

    def _enter(self, frame: CallFrame, phis: list[Instr], source: str, state: WayState) -> WayState:
        """The state at the head of a block, coming from another: its phis are set, all at once."""
        if not phis:
            return state
        env = dict(state.env)
        for phi in phis:
            typed = phi.operands[phi.labels.index(source)]
            env[phi.dest or ""] = value_of(self, frame, typed, state)
        return WayState(state.path, env, state.memory)

    def step(self, frame: CallFrame, instr: Instr, state: WayState) -> Value | None:
        """What one instruction gives; it changes the state. NotModelled where it is not known."""
        step = STEPS.get(instr.op)
        if step is None:
            raise NotModelled(f"instruction {instr.op}")
        return step(self, frame, instr, state)

    def _step(self, frame: CallFrame, instr: Instr, state: WayState) -> None:
        value = self.step(frame, instr, state)
        if instr.dest is not None:
            if value is None:
                raise NotModelled(f"{instr.op} gives no value")
            state.env[instr.dest] = self.promised(
                state, value, instr.noundef, instr.bounds, f"%{instr.dest}"
            )
