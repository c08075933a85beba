# SPDX-License-Identifier: GPL-2.0-or-later
"""How a step violates properties, and which effects it shows: over any algebra."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic

from verifier.language.algebra import Algebra, B, W
from verifier.language.evaluate import call, truth_of
from verifier.language.machine import HUGE, WAS, Key, Memory
from verifier.language.syntax import BOOL
from verifier.language.values import Fresh, Value, as_truth, as_word, equal, picked
from verifier.model.spec import ADVISORY, INVARIANT, LEMMA, STEP, THIRD, Property
from verifier.model.step import Step, applying, arguments
from verifier.model.typed import OF_VMA, Model
from verifier.model.world import World, state_keys
from verifier.prove.obligations import Group, Way

__all__ = ["StepJudge"]


class StepJudge(Generic[W, B]):
    """Says how steps that are run elsewhere violate properties, and which effects they show."""

    def __init__(self, model: Model, group: Group, alg: Algebra[W, B], fresh: Fresh,
                 memory: Memory[W, B]) -> None:
        self.model, self.group, self.alg, self.fresh, self.memory = model, group, alg, fresh, memory

    def properties(self) -> list[Property]:
        """What has to hold in this group."""
        return applying(self.model, self.group.code)

    def ways(self, prop: Property, step: Step[W, B]) -> Iterator[Way[W, B]]:
        """Each way in which a step may violate a property, with its condition."""
        recorded = step.violations.get(prop.name)
        if recorded is not None:
            yield Way(step.instance, None, step, recorded)
        if prop.kind in (INVARIANT, LEMMA, ADVISORY) and prop.holds is not None:
            if (prop.kind == ADVISORY and step.instance.transition is not None
                    and step.instance.transition.dirties):
                return
            world = self.seen(step, prop)
            for process in (0, 1):
                holds = truth_of(world, self.model.property(prop), (process,))
                yield Way(step.instance, process, step, self.alg.neg(holds))
        elif prop.kind == STEP and prop.compares:
            yield from self._compared(prop, step)
        elif prop.kind == STEP and prop.holds is not None:
            yield from self._of_roles(prop, step)

    def _of_roles(self, prop: Property, step: Step[W, B]) -> Iterator[Way[W, B]]:
        """The ways to violate a property of each role, at steps with the inputs that it names."""
        transition = step.instance.transition
        if transition is None or not set(prop.inputs) <= transition.inputs.keys():
            return
        inputs = [self.fresh(name, BOOL) for name in prop.inputs]
        for process in step.instance.roles:
            if process != THIRD:
                holds = truth_of(self.seen(step, prop), self.model.property(prop),
                                 (process, *inputs))
                yield Way(step.instance, process, step, self.alg.neg(holds))

    def after(self, step: Step[W, B]) -> World[W, B]:
        """The world after a step, with the state before under was_."""
        if step.world is not None:
            return step.world
        state: dict[Key, Value] = dict(step.after)
        for key, value in step.before.items():
            state[WAS + key if isinstance(key, str) else (WAS + key[0], key[1])] = value
        step.world = World(self.model, self.alg, state, self.fresh, self.memory)
        return step.world

    def seen(self, step: Step[W, B], prop: Property) -> World[W, B]:
        """The world after a step as a property sees it.

        A property that compares takes an entry as the hardware changed it within the step for the
        one before: the step is not blamed for the hardware.
        """
        if prop.kind not in (STEP, ADVISORY) or not step.left:
            return self.after(step)
        if step.blameless is None:
            world = step.blameless = World(self.model, self.alg, self.after(step).state, self.fresh,
                                           self.memory)
            world.state.update(
                {(WAS + "entry", process): entry for process, entry in step.left.items()}
            )
        return step.blameless

    def _compared(self, prop: Property, step: Step[W, B]) -> Iterator[Way[W, B]]:
        """The ways in which a component of an entry changes though the transition does not say so.

        Entries of processes without a role must not change at all.
        """
        alg, width = self.alg, self.model.layout.width
        roles = step.instance.roles
        for process in (0, 1):
            before, after = self.entry(step.before, process), self.entry(step.after, process)
            if process not in roles:
                if prop.others_stay and before is not after:
                    yield Way(step.instance, process, step, alg.neg(alg.eq(before, after, width)))
                continue
            for component, view in prop.compares.items():
                found = [self._differs(prop, step, process, component, view, base, after)
                         for base in self._baselines(step, process)]
                bad = [one for one in found if one is not None]
                if len(bad) == len(found):
                    yield Way(step.instance, process, step, alg.all(*bad), component=component)

    def entry(self, state: Mapping[Key, Value], process: int) -> W:
        """The entry of a process in a state."""
        return as_word(self.alg, state["entry", process])

    def _baselines(self, step: Step[W, B], process: int) -> list[W]:
        """The entries that a role's entry is compared with.

        They are its own before the step, or the one it is copied from: as it was, and as the
        hardware changed it within the step. A component may be as in either.
        """
        transition = step.instance.transition
        if transition is not None:
            role = transition.roles[step.instance.roles.index(process)]
            source = transition.baseline.get(role)
            if source is not None:
                process = step.instance.roles[transition.roles.index(source)]
        before, left = self.entry(step.before, process), step.left.get(process)
        return [before] if left is None or left is before else [left, before]

    def _differs(
        self, prop: Property, step: Step[W, B], process: int, component: str, view: str, before: W,
        after: W
    ) -> B | None:
        alg = self.alg
        if before is after:
            return None
        reading = self.model.reading(view)
        one, two = self._read_before(step, view, before), self._read_after(
            step, view, process, after
        )
        test = prop.comparable
        comparable = alg.all(as_truth(alg, self._read_before(step, test, before)),
                             as_truth(alg, self._read_after(step, test, process, after)))
        transition = step.instance.transition
        if transition is not None and component in transition.changes:
            args = arguments(self.model, step.instance, self.fresh)
            holds = truth_of(self._world_before(step),
                             self.model.change(transition, component, reading.returns),
                         (*args, one, two))
        elif transition is None and component in prop.hardware_changes:
            return None
        else:
            holds = equal(alg, one, two, reading.returns)
        changed = alg.neg(alg.eq(before, after, self.model.layout.width))
        return alg.all(changed, comparable, alg.neg(holds))

    def compared(self, step: Step[W, B], process: int, view: str) -> tuple[Value, Value]:
        """What a view says of the entry a role's is compared with, and of the role's entry after.
        """
        base, after = self._baselines(step, process)[0], self.entry(step.after, process)
        return self._read_before(step, view, base), self._read_after(step, view, process, after)

    def _world_before(self, step: Step[W, B]) -> World[W, B]:
        """The world before a step; of a third process, what its vma says."""
        of_third: dict[Key, Value] = {(flag, THIRD): self.fresh(f"{flag}.3", BOOL)
                                      for flag in OF_VMA}
        return World(self.model, self.alg, step.before | of_third, self.fresh, self.memory)

    def _read_before(self, step: Step[W, B], view: str, entry: W) -> Value:
        """What a view or helper says of an entry before a step.

        A step that takes entries of any level changes none.
        """
        assert step.instance.level or not self.model.mixed, (
            f"{step.instance.label} changes an entry of no known level")
        level = self.model.named_level(step.instance.level)
        return call(self.after(step), self.model.reading(view, level),
                    (self.model.seen(self.after(step), entry, level),))

    def _read_after(self, step: Step[W, B], view: str, process: int, entry: W) -> Value:
        """What a view or helper says of an entry after a step, when it may be of another level."""
        world, plain, huge = (self.after(step), *(self.model.reading(view, x)
                                                  for x in (self.model.base, self.model.level)))
        if not self.model.mixed:
            return call(world, plain, (self.model.seen(world, entry),))
        test = as_truth(self.alg, step.after[HUGE, process])
        known = self.alg.known(test)
        if known is not None:
            return call(world, huge if known else plain, (entry,))
        one, two = call(world, huge, (entry,)), call(world, plain, (entry,))
        return picked(self.alg, test, one, two, plain.returns)

    def effects(self, step: Step[W, B]) -> Iterator[tuple[str, B]]:
        """The effects of the step's transition, as conditions on the state after.

        There are none for a process that is summed up. A step that changes nothing shows no effect,
        even where the state is as the effect has it.
        """
        transition = step.instance.transition
        if transition is None or THIRD in step.instance.roles:
            return
        alg, keys = self.alg, [(k, kind) for k, kind in state_keys(self.model)
                               if step.after[k] is not step.before[k]]
        stays = [equal(alg, step.before[k], step.after[k], kind) for k, kind in keys]
        changed = alg.neg(alg.all(*stays))
        for effect in self.model.effects(transition, self.group.code):
            args = arguments(self.model, step.instance, self.fresh)
            reached = truth_of(self.after(step), self.model.effect(transition, effect), args)
            alone = [alg.neg(acted) for event, acted in step.acted.items()
                     if event not in effect.hardware]
            yield effect.as_property().name, alg.all(reached, changed, *alone)
