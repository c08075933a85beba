# SPDX-License-Identifier: GPL-2.0-or-later
"""What `explain`, `decode` and `list` print."""

from __future__ import annotations

from verifier.base.columns import labelled, page, wrap
from verifier.base.errors import Where
from verifier.model.spec import EFFECT, Transition
from verifier.model.typed import Model
from verifier.prove.results import Counterexample, Result, reason, verdict_name
from verifier.report.moves import moves_text
from verifier.report.why import Shown, why
from verifier.run.library import Library

__all__ = ["explain_text", "more_text", "replay_line", "source_of"]


def source_of(library: Library, result: Result) -> str:
    """The kernel's place of the transition."""
    transition = library.spec.transitions.get(result.obligation.transition)
    return "the processor" if transition is None else transition.site


def explain_text(library: Library, result: Result, color: bool = False) -> str:
    """One obligation in full."""
    o = result.obligation
    name = verdict_name(result.verdict).upper()
    head = labelled(f"{name}  ", o.id)
    parts = [f"\x1b[1m{head}\x1b[0m" if color else head, wrap(o.claim)]
    model = library.group_model(o.group)
    if name == "VACUOUS":
        said = reason(result.verdict)
        parts.append(wrap(f"{said[0].upper()}{said[1:]}."))
    if name == "INCOMPLETE":
        parts.append(wrap(f"{reason(result.verdict)}."))
    if name == "UNKNOWN":
        parts.append(wrap(
            f"{getattr(result.verdict, 'reason', '')}: {getattr(result.verdict, 'detail', '')}."
        ))
    counterexample = getattr(result.verdict, "counterexample", None)
    inhabitant = getattr(result.verdict, "inhabitant", None)
    if counterexample is not None:
        parts += _counterexample(library, model, result, counterexample)
    elif inhabitant is not None:
        shows = "a step that shows it" if o.kind == EFFECT else "an inhabitant of what it assumes"
        parts.append(f"  {shows}:\n" + moves_text(model, [inhabitant]))
    if result.assumptions:
        parts.append(wrap("assumes the invariant; " + "; ".join(result.assumptions), "  "))
    parts.append(_places(library, result))
    return "\n\n".join(parts)


def _counterexample(library: Library, model: Model, result: Result,
                    found: Counterexample) -> list[str]:
    parts = []
    if found.move.transition == "static":
        given = ", ".join(f"{n}={v if isinstance(v, bool) else hex(v)}"
                          for n, v in found.move.inputs.items())
        return [wrap(f"fails for {given}")]
    if found.reached and found.trace:
        parts.append(wrap(f"reached from a fresh mapping in {found.depth} steps; each recomputed "
                          "with plain integers:"))
        parts.append(moves_text(model, found.trace))
    elif found.trace:
        parts.append(wrap("reached after an earlier step has broken a property; each recomputed "
                          "with plain integers:"))
        parts.append(moves_text(model, found.trace))
    elif not found.reached:
        parts.append(wrap(f"no trace of up to {found.depth} steps leads there. The step alone:"))
        parts.append(moves_text(model, [found.move]))
    else:
        parts.append("  a fresh state:\n" + moves_text(model, [found.move]))
    words = _hardware_words(model, found)
    if words:
        parts.append(wrap(words))
    shown = why(model, result.obligation.group, found.move, result.obligation.property,
                found.process)
    if shown is not None:
        parts.append(_shown(shown))
    if found.leads_to:
        parts.append(
            f"  and that leads to {found.consequence}:\n" + moves_text(model, found.leads_to)
        )
        parts += [wrap(words) for words in consequence_words(found)]
    elif not found.thorough:
        parts.append(wrap("What that leads to was not asked: --consequences asks."))
    elif found.searched or found.rejected:
        parts += [wrap(words) for words in consequence_words(found)]
    return parts


def consequence_words(found: Counterexample) -> list[str]:
    """What is to be said of what a failure leads to, or of the search for it."""
    if found.leads_to:
        said = (["The same steps from the state before the failure do not end so, whatever their "
                 "inputs: decided by the solver."])
        if found.unproved:
            said.append(f"Of these steps not proved themselves: {', '.join(found.unproved)}.")
        return said
    others = {0: "", 1: "One that does may end so without the failure too, and is not shown. "}.get(
        found.rejected,
        f"{found.rejected} that do may end so without the failure too, and are not shown. ")
    if not found.searched:
        return (["Searched from there for a store that leaks, or for content that is dropped. "
                 f"{others}".strip()])
    return ["Searched from there for a store that leaks, or for content that is dropped: none was "
            "found within "
            f"{found.searched} steps. {others}What more steps lead to was not asked."]


def _shown(shown: Shown) -> str:
    """The parts of the sentence that decide that it fails, before and after the step."""
    terms = [f"{t.reads} {t.after}" if t.before is None or t.before == t.after
             else f"{t.reads} {t.before} -> {t.after}"
             for t in shown.terms]
    says = f"; the step says: {shown.says}" if shown.says else ""
    return wrap(f"what shows it, of {shown.process}: {', '.join(terms)}{says}")


def _hardware_words(model: Model, found: Counterexample) -> str:
    """What the processor did, in words, where it took part."""
    names = []
    for move in found.trace or (found.move,):
        if move.event:
            names.append(move.transition.removeprefix("hw-"))
        names += [n.split("@")[0] for n, v in move.inputs.items() if v and n.split("@")[0] in
                  model.layout.variant.hardware]
    lines = [f"{name}: {model.layout.event(name)[0].describe}" for name in dict.fromkeys(names)]
    return "The hardware takes part. " + "; ".join(lines) + "." if lines else ""


def _places(library: Library, result: Result) -> str:
    o = result.obligation
    transition = library.spec.transitions.get(o.transition)
    lines = [_place("property", str(_where(library, transition, o.property)))]
    if transition is not None:
        chosen = transition.code(o.group.code)
        if chosen is not None:
            lines.append(_place("code", f"{chosen[1].where} ({chosen[0]})"))
            lines.append(_place("kernel", transition.site))
        for reason, kernel in transition.gives_up.items():
            lines.append(_place("", f"may give exclusivity up: {reason} ({kernel})"))
    took = "from cache" if result.cached else f"{result.seconds * 1000:.0f} ms"
    lines.append(_place("decided", f"by {result.solver}, {took}"))
    lines.append(replay_line(o.id, "  replay   "))
    counterexample = getattr(result.verdict, "counterexample", None)
    if counterexample is not None:
        said = "evaluator" if counterexample.replayed else "nothing"
        why = counterexample.kernel_why
        kernel = f"the kernel's helpers ({why})" if counterexample.kernel else f"kernel: {why}"
        lines.append(_place("", f"reproduced by: {said}; {kernel}"))
    return "\n".join(lines)


def replay_line(identity: str, indent: str) -> str:
    """The command that explains an obligation, on two lines where it has to be."""
    line = f"{indent}pteproof explain {identity}"
    return (line if len(line) <= page().width
            else f"{indent}pteproof explain \\\n{' ' * len(indent)}{identity}")


def _place(label: str, text: str) -> str:
    return wrap(text, f"  {label:<9}", " " * 11)


def _where(library: Library, transition: Transition | None, prop: str) -> Where:
    """Where a property or an effect stands."""
    effects = () if transition is None else transition.reaches
    found = {effect.as_property().name: effect.holds.where for effect in effects}
    return found[prop] if prop in found else library.spec.properties[prop].where


def more_text(library: Library, result: Result, count: int) -> str:
    """Further counterexamples to one obligation's step, which differ in more than frames and slots.
    """
    from verifier.engine.bits import Bits
    from verifier.engine.bits_solver import BitsSolver
    from verifier.prove.bits_way import GroupProver

    o = result.obligation
    model = library.group_model(o.group)
    graph = Bits()
    prover = GroupProver(model, o.group, graph, BitsSolver(graph))
    lines = []
    for question in prover.builder.questions(lambda t, p: t == o.transition and p == o.property):
        for move in prover.more(question, count):
            lines.append(moves_text(model, [move]))
    return "\n\n".join(lines) if lines else "  there is no counterexample to the step"
