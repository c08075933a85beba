# SPDX-License-Identifier: GPL-2.0-or-later
"""What `explain`, `decode` and `list` print."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import Any

from verifier.algebra import Integers
from verifier.arch import Layout
from verifier.errors import UsageError, Where, nearest
from verifier.evaluate import call
from verifier.machine import Machine
from verifier.model import EFFECT, REACHES, Transition
from verifier.plan import Library
from verifier.prove import input_reader
from verifier.report.why import Shown, why
from verifier.results import Counterexample, Move, Result, State, reason, verdict_name
from verifier.scopes import Model
from verifier.steps import World
from verifier.syntax import BOOL

__all__ = ["decode_text", "explain_text", "list_text", "more_text", "moves_text", "parse_value", "reads_as", "source_of", "wrap"]

WIDTH = 102
PEOPLE = ("A", "B", "other")


def source_of(library: Library, result: Result) -> str:
    """The kernel's place of the transition."""
    transition = library.spec.transitions.get(result.obligation.transition)
    return "the processor" if transition is None else transition.site


def explain_text(library: Library, result: Result, color: bool = False) -> str:
    """One obligation in full."""
    o = result.obligation
    name = verdict_name(result.verdict).upper()
    head = f"{name}  {o.id}"
    tail = f"{result.solver}, {'from cache' if result.cached else f'{result.seconds * 1000:.0f} ms'}"
    painted = f"\x1b[1m{head}\x1b[0m" if color else head
    parts = [painted + " " * max(2, WIDTH - len(head) - len(tail)) + tail]
    parts.append(wrap(o.claim))
    model = library.group_model(o.group)
    if name == "VACUOUS":
        said = reason(result.verdict)
        parts.append(wrap(f"{said[0].upper()}{said[1:]}."))
    if name == "INCOMPLETE":
        parts.append(wrap(f"{reason(result.verdict)}."))
    if name == "UNKNOWN":
        parts.append(wrap(f"{getattr(result.verdict, 'reason', '')}: {getattr(result.verdict, 'detail', '')}."))
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


def wrap(text: str, indent: str = "  ") -> str:
    """Text in lines of WIDTH columns."""
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _counterexample(library: Library, model: Model, result: Result, found: Counterexample) -> list[str]:
    parts = []
    if found.move.transition == "static":
        given = ", ".join(f"{n}={v if isinstance(v, bool) else hex(v)}" for n, v in found.move.inputs.items())
        return [wrap(f"fails for {given}")]
    if found.reached and found.trace:
        parts.append(f"  reached from a fresh mapping in {found.depth} steps; each recomputed with plain integers:")
        parts.append(moves_text(model, found.trace))
    elif found.trace:
        parts.append("  reached after an earlier step has broken a property; each recomputed with plain integers:")
        parts.append(moves_text(model, found.trace))
    elif not found.reached:
        parts.append(f"  no trace of up to {found.depth} steps leads there. The step alone:")
        parts.append(moves_text(model, [found.move]))
    else:
        parts.append("  a fresh state:\n" + moves_text(model, [found.move]))
    words = _hardware_words(model, found)
    if words:
        parts.append(wrap(words))
    shown = why(model, result.obligation.group, found.move, result.obligation.property, found.process)
    if shown is not None:
        parts.append(_shown(shown))
    if found.leads_to:
        parts.append(f"  and that leads to {found.consequence}:\n" + moves_text(model, found.leads_to))
        parts += [wrap(words) for words in consequence_words(found)]
    elif found.searched or found.rejected:
        parts += [wrap(words) for words in consequence_words(found)]
    return parts


def consequence_words(found: Counterexample) -> list[str]:
    """What is to be said of what a failure leads to, or of the search for it."""
    if found.leads_to:
        said = ["The same steps from the state before the failure do not end so, whatever their inputs: decided by the solver."]
        if found.unproved:
            said.append(f"Of these steps not proved themselves: {', '.join(found.unproved)}.")
        return said
    others = {0: "", 1: "One that does may end so without the failure too, and is not shown. "}.get(
        found.rejected, f"{found.rejected} that do may end so without the failure too, and are not shown. ")
    if not found.searched:
        return [f"Searched from there for a store that leaks, or for content that is dropped. {others}".strip()]
    return ["Searched from there for a store that leaks, or for content that is dropped: none was found within "
            f"{found.searched} steps. {others}What more steps lead to was not asked."]


def _shown(shown: Shown) -> str:
    """The parts of the sentence that decide that it fails, before and after the step."""
    terms = [f"{t.reads} {t.after}" if t.before is None or t.before == t.after else f"{t.reads} {t.before} -> {t.after}"
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


_HEAD = ["step", "transition", "who", "entry", "write", "dirty", "uffd", "reads as", "really"]


def moves_text(model: Model, moves: Sequence[Move]) -> str:
    """The steps as a table: each entry that matters, how it reads, and what is true."""
    from verifier.report.tables import table

    rows: list[list[str]] = []
    for number, move in enumerate(moves):
        who = [p for p in (0, 1) if p in move.roles or move.before["entry", p] != move.after["entry", p]
               or (number == len(moves) - 1 and move.after["reach", p])]
        for position, process in enumerate(who):
            first = [str(number), move.transition] if position == 0 else ["", ""]
            rows.append([*first, PEOPLE[process], *_reading(model, move.after, process)])
        chosen = ", ".join(n.split("@")[0] if v is True else f"{n}={v:#x}" for n, v in sorted(move.inputs.items())
                           if v and not n.startswith("shadow_stack"))
        if chosen:
            rows.append(["", f"  with {chosen}", *[""] * (len(_HEAD) - 2)])
    text = table(rows, _HEAD) if all(len(r[1]) < 24 or r[2] for r in rows) else _loose(rows)
    return textwrap.indent(text, "  ")


def _loose(rows: list[list[str]]) -> str:
    """A table whose remarks (rows of one long cell) do not widen the columns."""
    from verifier.report.tables import table

    plain = [r for r in rows if r[2]]
    lines = table(plain, _HEAD).splitlines()
    done, result = iter(lines[1:]), [lines[0]]
    for row in rows:
        result.append(next(done) if row[2] else " " * 4 + row[1])
    return "\n".join(result)


def _reading(model: Model, state: State, process: int) -> list[str]:
    layout = model.layout
    entry = int(state["entry", process])
    machine, level = shown(model), model.level_in(state, process)
    seen = model.seen(machine, entry, level)

    def holds(name: str) -> str:
        return str(int(call(machine, model.reading(name, level), (seen,))))

    present = holds("pte_present") == "1"
    bits = [holds("pte_write"), holds("pte_dirty"), holds("pte_uffd_wp")] if present else ["-", "-", "-"]
    return [f"0x{entry:0{layout.width // 4}x}", *bits, reads_as(model, state, process), _really(state, process)]


def shown(model: Model) -> Machine:
    """What reads entries for reports: by this model's helpers; what lifted ones leave open is 0."""
    return model.machine(Integers(), input_reader({}))


def _world(model: Model, state: State) -> World:
    alg, reader = Integers(), input_reader({})
    return World(model, alg, dict(state), reader, model.memory(alg, reader))


def _ask(model: Model, state: State, section: str, name: str, *args: int) -> bool:
    function = model.definition(section, name)
    assert function is not None
    return bool(call(_world(model, state), function, args))


def reads_as(model: Model, state: State, process: int) -> str:
    """How the encoding reads a process's entry: exclusive, maybe shared, none, or another page's."""
    if not _ask(model, state, "views", "refers", process):
        machine, level = shown(model), model.level_in(state, process)
        seen = model.seen(machine, int(state["entry", process]), level)
        return "none" if call(machine, model.reading("none", level), (seen,)) else "another page"
    kind = next((word for view, word in (("swapped", "swap, "), ("migrating", "migration, "), ("on_device", "device, "),
                                           ("in_device_memory", "device memory, "))
                 if _ask(model, state, "views", view, process)), "")
    exclusive = _ask(model, state, "readings", "exclusive_now", process)
    return kind + ("exclusive" if exclusive else "maybe shared")


def _really(state: State, process: int) -> str:
    words = []
    if state["reach", 1 - process]:
        words.append(f"also reached by {PEOPLE[1 - process]}")
    if state["third_maps"] or state["third_swaps"] or state["third_migrates"] or state["third_reads"]:
        words.append("also used by a third process")
    if state["granted", process]:
        words.append("exclusive")
    if state["reader", 1 - process]:
        words.append(f"{PEOPLE[1 - process]} holds a reference")
    for name in ("pinned", "newer"):
        if state[name, process]:
            words.append(name)
    if state["reach", process] and not words:
        words.append("maybe shared")
    return ", ".join(words)


def _places(library: Library, result: Result) -> str:
    o = result.obligation
    transition = library.spec.transitions.get(o.transition)
    lines = [f"  property {_where(library, transition, o.property)}"]
    if transition is not None:
        chosen = transition.code(o.group.code)
        if chosen is not None:
            lines.append(f"  code     {chosen[1].where} ({chosen[0]})   {transition.site}")
        for reason, kernel in transition.gives_up.items():
            lines.append(f"  may give exclusivity up: {reason} ({kernel})")
    lines.append(f"  replay   pteproof explain {o.id}")
    counterexample = getattr(result.verdict, "counterexample", None)
    if counterexample is not None:
        said = "evaluator" if counterexample.replayed else "nothing"
        why = counterexample.kernel_why
        kernel = f"the kernel's helpers ({why})" if counterexample.kernel else f"kernel: {why}"
        lines.append(f"           reproduced by: {said}; {kernel}")
    return "\n".join(lines)


def _where(library: Library, transition: Transition | None, prop: str) -> Where:
    """Where a property or an effect stands."""
    effects = () if transition is None else transition.reaches
    found = {effect.as_property().name: effect.holds.where for effect in effects}
    return found[prop] if prop in found else library.spec.properties[prop].where


def more_text(library: Library, result: Result, count: int) -> str:
    """Further counterexamples to one obligation's step, which differ in more than frames and slots."""
    from verifier.bits import Bits
    from verifier.prove import GroupProver
    from verifier.solve import BitsSolver

    o = result.obligation
    model = library.group_model(o.group)
    graph = Bits()
    prover = GroupProver(model, o.group, graph, BitsSolver(graph))
    lines = []
    for question in prover.builder.questions(lambda t, p: t == o.transition and p == o.property):
        for move in prover.more(question, count):
            lines.append(moves_text(model, [move]))
    return "\n\n".join(lines) if lines else "  there is no counterexample to the step"


def parse_value(text: str, width: int) -> int:
    """An entry value as an oops prints it: hexadecimal, with or without 0x.

    Raises UsageError where it is no number or too wide.

    >>> hex(parse_value("8000000012345025", 64))
    '0x8000000012345025'
    """
    digits = text.strip().removeprefix("0x").removeprefix("0X")
    if not digits or len(digits) > 64 or any(c not in "0123456789abcdefABCDEF" for c in digits):
        raise UsageError(f"{text!r} is no hexadecimal value")
    value = int(digits, 16)
    if value >> width:
        raise UsageError(f"{text} has more than {width} bits")
    return value


def decode_text(library: Library, variant: str, values: Sequence[str], encoding: str, as_json: bool) -> str:
    """Each value: one line of flags, then fields and helpers."""
    record = library.spec.encodings[encoding]
    arch = library.archs[library.variant(variant).arch]
    overlay = record.overlay if record.overlay in arch.overlays else None
    layout = library.layout(variant, overlay)
    found = [_decoded(layout, parse_value(v, layout.width), _exclusive(library, variant, encoding)) for v in values]
    if as_json:
        return json.dumps(found, indent=1)
    return "\n\n".join(_decoded_text(d) for d in found)


def _exclusive(library: Library, variant: str, encoding: str) -> Any:
    """The encoding's reading of a present entry, or None where it is not in the entry."""
    record = library.spec.encodings[encoding]
    if record.state or (record.overlay and record.overlay not in
                        library.archs[library.variant(variant).arch].overlays):
        return None
    model = library.model(variant, encoding)
    function = model.definition("encoding", "exclusive")
    return None if function is None else lambda value: bool(call(Machine(Integers()), function, (value,)))


def _decoded(layout: Layout, value: int, exclusive: Any) -> dict[str, Any]:
    machine = Machine(Integers())
    helpers: dict[str, Any] = {}
    for name in layout.helpers():
        if not name.startswith("pte_"):
            continue
        function = layout.helper(name)
        if len(function.params) == 1 and function.params[0].type == layout.width and function.returns == BOOL:
            helpers[name] = bool(call(machine, function, (value,)))
    present = helpers.get("pte_present", False)
    swap = not present and not helpers.get("pte_none", True)
    result: dict[str, Any] = {
        "value": f"0x{value:0{layout.width // 4}x}", "variant": layout.variant.name, "flags": flags_line(layout, value),
        "kind": "present" if present else "swap" if swap else "none",
        "fields": {f.name: (value & f.mask) >> f.low for f in layout.fields.values() if value & f.mask},
        "helpers": helpers,
    }
    if present:
        result["pfn"] = call(machine, layout.helper("pte_pfn"), (value,))
        result["exclusive"] = None if exclusive is None else exclusive(value)
    elif swap:
        entry = call(machine, layout.helper("pte_to_swp_entry"), (value,))
        result["swap"] = {name: call(machine, layout.helper(f"swp_{name}"), (entry,)) for name in ("type", "offset")}
        result["swap"]["kind"] = _swap_kind(layout, machine, entry)
    return result


_SWAP_KINDS = (
    "is_readable_migration_entry", "is_readable_exclusive_migration_entry", "is_writable_migration_entry",
    "is_device_private_entry", "is_device_exclusive_entry", "is_hwpoison_entry", "is_pte_marker_entry",
)


def _swap_kind(layout: Layout, machine: Machine, entry: int) -> str:
    for name in _SWAP_KINDS:
        function = layout.function(name)
        if function is not None and call(machine, function, (entry,)):
            return name.removeprefix("is_").removesuffix("_entry").replace("_", " ")
    return "swap slot"


def flags_line(layout: Layout, value: int) -> str:
    """Fields in one line; bits without a name as hex at the end."""
    words, left, seen = [], value, 0
    for item in layout.fields.values():
        if not value & item.mask or item.name.startswith("SWP_") or item.mask & seen == item.mask:
            continue
        seen |= item.mask
        left &= ~item.mask
        words.append(item.name if item.low == item.high else f"{item.name}=0x{(value & item.mask) >> item.low:x}")
    return "|".join([*words, *([f"0x{left:x}"] if left else [])]) or "0"


def _decoded_text(found: dict[str, Any]) -> str:
    lines = [f"{found['value']}  {found['flags']}"]
    about = found["kind"]
    if "pfn" in found:
        about += f", pfn 0x{found['pfn']:x}"
        if found["exclusive"] is not None:
            about += f", {'exclusive' if found['exclusive'] else 'maybe shared'} if it maps an anonymous page"
    if "swap" in found:
        swap = found["swap"]
        about += f": {swap['kind']}, type {swap['type']}, offset 0x{swap['offset']:x}"
    lines.append(f"  {about}  ({found['variant']})")
    yes = [n for n, v in found["helpers"].items() if v]
    no = [n for n, v in found["helpers"].items() if not v]
    lines += [wrap("true:  " + " ".join(yes)), wrap("false: " + " ".join(no))]
    return "\n".join(lines)


def list_text(library: Library, what: str, arch: str | None) -> str:
    """One line for each thing that there is."""
    from verifier.report import catalogue
    from verifier.report.tables import table

    if arch is not None:
        library.variant(arch)
    if what == "archs":
        rows = [[a.name, a.read, " ".join(a.variants)] for a in library.archs.values()]
    elif what == "variants":
        rows = [[v.name, v.arch, v.describe] for v in library.variants()]
    elif what == "transitions":
        rows = catalogue.rows(library.catalogue)
    elif what == "properties":
        rows = [[p.name, p.kind, p.claim] for p in library.spec.properties.values()]
        rows.append([f"{REACHES}NAME", EFFECT, "some state leads the step to what it is there for (its `reaches`)"])
    elif what == "encodings":
        rows = [[e.name, " ".join(e.codes), e.describe] for e in library.spec.encodings.values()]
    elif what == "helpers":
        names = [arch] if arch else list(library.archs)
        rows = [[library.variant(n).name, h, library.layout(library.variant(n).name).helper(h).source]
                for n in names for h in library.layout(library.variant(n).name).helpers()]
    else:
        raise UsageError(f"cannot list {what!r}{nearest(what, ['archs', 'variants'])}")
    return "\n".join(table(rows, [""] * len(rows[0])).splitlines()[1:])
