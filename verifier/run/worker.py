# SPDX-License-Identifier: GPL-2.0-or-later
"""The work of one process: some groups, one after the other.

Says what it is at before it starts, so that whoever waits can tell what took too long.
"""

from __future__ import annotations

from verifier.base.errors import USERS, internal
from verifier.base.processes import give_back
from verifier.model.step import asked
from verifier.prove.bits_way import obligation_of
from verifier.prove.obligations import Group
from verifier.run.cache import Cache
from verifier.run.deciding import decide, from_cache, new_prover, wanted_transitions
from verifier.run.grounds import code, grounds
from verifier.run.group_work import GroupWork, Work, blame
from verifier.run.library import Library
from verifier.run.messages import At, Contradicts, Failed, Finished, Say, Task, Unreached
from verifier.run.reaching import tell_traces, with_trace
from verifier.search.consequence import Consequences
from verifier.search.hints import Hints

__all__ = ["work"]


def work(library: Library, task: Task, say: Say) -> None:
    """Decide everything of a task, telling each result as soon as it is known.

    After an error of the program's own the rest goes on. An error of the user's ends it, and is
    told.
    """
    shared = Work(library, task, say, Hints() if task.hints is None else task.hints)
    for group in task.groups:
        try:
            _group(shared, group)
        except USERS as error:
            return say(Failed(str(error)))
        except Exception as error:
            say(Contradicts(f"{group}: {internal(error)}"))


def _group(shared: Work, group: Group) -> None:
    """Decide one group, then search for how its failures are reached and what they lead to."""
    library, task, say = shared.library, shared.task, shared.say
    model = library.group_model(group)
    known = grounds(library, group, model, task.code, task.solver, task.depth)
    state = GroupWork(shared, group, model, Cache(group, known, task.cache),
                      Consequences(model, group))
    say(At(f"{group}: building", group))
    helpers = _decide(state)
    if state.open:
        give_back()
        _write(state)
        say(At(f"{group}: traces", group, stage="searching"))
        say(Unreached(tuple(with_trace(state, result, {}, 0) for result in state.open)))
    try:
        tell_traces(state)
    except USERS:
        raise
    # what is left of these has no trace; the rest of the run has its verdicts
    except Exception as error:
        for result in state.open:
            blame(state, result.obligation, error, getattr(result.verdict, "counterexample", None))
    _write(state)
    say(Finished(group, helpers, shared.hints.of(group) if task.leads else None))


def _decide(state: GroupWork) -> tuple[str, ...]:
    """Decide all that is asked for; whose helpers it is about.

    The prover is let go: a search needs the room.
    """
    model, group, task = state.model, state.group, state.work.task
    prover = new_prover(state)
    for name in wanted_transitions(state):
        props = from_cache(state, prover, name)
        if props:
            told = tuple(obligation_of(model, group, name, p)
                         for p in asked(model, name, group.code) if p.name in props)
            state.work.say(At(f"{group}: building {name}", group,
                              tuple(o for o in told if o.id not in task.skip)))
            prover = decide(state, prover, name, props)
    return prover.helpers()


def _write(state: GroupWork) -> None:
    """Write what was found, unless the program was edited meanwhile: then nothing says what found
    it.
    """
    if state.work.task.cache is not None and state.cache.changed and code() == state.work.task.code:
        state.cache.write()
