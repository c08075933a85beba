# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine that steps of a block run on, and one step over an algebra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

from verifier.blocks.model import FOLD, BlockInstance, BlockModel, cell
from verifier.language.algebra import Algebra, B, W
from verifier.language.evaluate import call, truth_of, word_of
from verifier.language.machine import Key, Machine, Memory, of_page
from verifier.language.syntax import BOOL
from verifier.language.values import Fresh, Value, as_truth, as_word, equal, picked
from verifier.model.spec import THIRD

__all__ = ["BlockStep", "BlockWorld", "block_keys", "failing", "named", "run_step"]


def block_keys(model: BlockModel) -> list[tuple[Key, int]]:
    """Every state variable with its type."""
    found: list[tuple[Key, int]] = []
    for name in model.variables:
        variable = model.variable(name)
        assert variable is not None
        pages = range(variable.pages or 0)
        names = [name] if variable.pages is None else [of_page(name, page) for page in pages]
        for one in names:
            if variable.count is None:
                found.append((one, variable.type))
            else:
                found += [((one, i), variable.type) for i in range(variable.count)]
    return found


def named(key: Key) -> str:
    """How a variable is called in inputs.

    >>> named(("entry/1", 0)), named("pfn")
    ('entry/1.A', 'pfn')
    """
    return key if isinstance(key, str) else f"{key[0]}.{'AB3'[key[1]]}"


class BlockWorld(Machine[W, B]):
    """The state of a block, and observations with their axioms."""

    def __init__(self, model: BlockModel, alg: Algebra[W, B], state: Mapping[Key, Value],
                 fresh: Fresh, memo: Memory[W, B]) -> None:
        kinds = {key if isinstance(key, str) else key[0]: kind for key, kind in block_keys(model)}
        super().__init__(alg, dict(state), kinds)
        self.model, self.fresh, self.memo = model, fresh, memo

    def observe(self, name: str, args: tuple[Value, ...], label: str) -> B:
        """A fresh boolean input; its axioms are assumed at this point."""
        value = as_truth(self.alg, self.fresh(f"{name}@{label}", BOOL))
        for _, function in self.model.axioms(name):
            holds = truth_of(self, function, (*args, value))
            self.assumed.append(self.alg.any(self.alg.neg(self.path), holds))
        return value


@dataclass(slots=True)
class BlockStep(Generic[W, B]):
    """The result of one step; all conditions are booleans of the algebra."""

    instance: BlockInstance
    before: Mapping[Key, Value]
    after: dict[Key, Value]
    assumed: list[B]
    violations: dict[str, B]


def run_step(model: BlockModel, alg: Algebra[W, B], state: Mapping[Key, Value],
             instance: BlockInstance, code: str, fresh: Fresh, memo: Memory[W, B],
             folds: bool = False) -> BlockStep[W, B]:
    """One step from a state; `folds`: with the attempt to fold that it may end in."""
    world = BlockWorld(model, alg, state, fresh, memo)
    empty = alg.word(model.layout.variant.constants["EMPTY"], model.layout.width)
    for page in range(model.size):
        world.state[cell("entry", THIRD, page)] = empty
    if instance.transition is None:
        _happen(world, instance)
    else:
        transition = instance.transition
        inputs = model.params(transition)[len(instance.roles) + len(instance.pages):]
        args = (*instance.roles, *instance.pages, *(fresh(p.name, p.type) for p in inputs))
        for _, sentence in model.requires(transition):
            world.assumed.append(truth_of(world, sentence, args))
        function = model.code(transition, code if code in transition.fallback else plain(code))
        assert function is not None
        call(world, function, args)
        if folds:
            _fold(world, instance, state, code)
    return BlockStep(instance, state, {key: world.state[key] for key in state}, world.assumed,
                     world.violations)


def _fold(world: BlockWorld[W, B], instance: BlockInstance, before: Mapping[Key, Value], code: str
          ) -> None:
    """Try to fold the blocks whose last entry the step has changed.

    The kernel does so at once; but the step looks at that process's block no more. Of the third
    process nobody follows the entries.
    """
    model, transition = world.model, instance.transition
    assert transition is not None
    last = model.size - 1
    for role in (model.folds or {}).get(transition.name, ()):
        process = instance.roles[transition.roles.index(role)]
        if process == THIRD or instance.pages != (last,):
            continue
        key, width = cell("entry", process, last), model.layout.width
        changed = world.alg.neg(equal(world.alg, before[key], world.state[key], width))
        kept = dict(world.state)
        function = model.code(model.spec.transitions[FOLD], plain(code))
        assert function is not None
        call(world, function, (process,))
        for one, kind in block_keys(model):
            if world.state[one] is not kept[one]:
                world.state[one] = picked(world.alg, changed, world.state[one], kept[one], kind)


def plain(code: str) -> str:
    """The code in which a mistake is planted."""
    return code.partition("+")[0]


def _happen(world: BlockWorld[W, B], instance: BlockInstance) -> None:
    """Let the hardware act on the entry of a page, where the event's condition holds."""
    assert instance.event is not None
    model, (process,) = world.model, instance.roles
    page, at = instance.pages[0], instance.pages[-1]
    record, when, after = model.event(instance.event, model.level)
    entry = as_word(world.alg, world.state[cell("entry", process, at)])
    world.assumed.append(truth_of(world, when, (entry,)))
    if at != page:
        folded = model.definition("views", "folded")
        assert folded is not None
        world.assumed.append(truth_of(world, folded, (process,)))
    procedure = model.definition("procedures", "hardware_event")
    assert procedure is not None
    call(world, procedure,
         (process, page, at, word_of(world, after, (entry,)), world.alg.truth(record.stores)))


def failing(model: BlockModel, alg: Algebra[W, B], state: Mapping[Key, Value], fresh: Fresh,
            memo: Memory[W, B]) -> dict[str, list[B]]:
    """The conditions under which each invariant and lemma fails, for every process and page."""
    world = BlockWorld(model, alg, state, fresh, memo)
    return {
        prop.name: [alg.neg(truth_of(world, model.property(prop), (process, page)))
                    for process in (0, 1) for page in range(model.size)]
        for prop in model.invariants()
    }
