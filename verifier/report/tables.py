# SPDX-License-Identifier: GPL-2.0-or-later
"""What `prove` and `audit` print: tables of plain text that fit into a mail."""

from __future__ import annotations

from collections import Counter

from verifier.model.spec import ADVISORY, rank
from verifier.prove.results import Result, Run, State, reason, verdict_name
from verifier.report.catalogue import coverage_line
from verifier.report.columns import table, wrap
from verifier.report.explain import explain_text, source_of
from verifier.report.theorems import sentences, theorem_table
from verifier.run.library import Library

__all__ = ["audit_text", "closing_line", "prove_text"]

MANY = 100  # lines: more are counted, not listed
_WORDS = ("proved", "refuted", "vacuous", "unknown", "incomplete")


def closing_line(run: Run) -> str:
    """How many of each verdict, and where the time went."""
    found = Counter((verdict_name(r.verdict), r.obligation.kind == ADVISORY, r.cached) for r in run.results)
    counts = {word: sum(n for (name, *_), n in found.items() if name == word) for word in _WORDS}
    said = ", ".join(f"{n} {word}" for word, n in counts.items() if n or word in ("proved", "refuted"))
    cached = sum(n for (*_, known), n in found.items() if known)
    advisory = sum(n for (name, advice, _), n in found.items() if advice and name == "refuted")
    if run.undecided:
        said += f", {run.undecided} not decided"
    extra = "".join([f" ({cached} from cache)" if cached else "", f" ({advisory} advisory)" if advisory else ""])
    seconds = run.seconds
    return (f"Ran {len(run.results)}: {said}{extra}. Elapsed {seconds.get('elapsed', 0):.1f} s: "
            f"{seconds.get('load', 0):.1f} load, {seconds.get('solve', 0):.1f} decide.")


def prove_text(library: Library, run: Run, quiet: bool, verbose: bool, color: bool) -> str:
    """Theorems, what failed, what is not covered, and the closing line."""
    against = [] if run.compared is None else list(run.compared.lines())
    if quiet:
        return "\n".join([closing_line(run), *against[-1:]])
    parts, lines = [], []
    few = len(run.results) <= 40
    hidden = three = 0
    for result in run.results:
        name = verdict_name(result.verdict)
        hidden += result.obligation.kind == ADVISORY and name != "proved"
        three += "plain integers" in result.solver
        if name != "proved" and few:
            parts.append(explain_text(library, result, color))
        elif (name != "proved" and result.obligation.kind != ADVISORY) or verbose:
            lines.append(_line(result, color) + (f"  ({result.solver})" if verbose else ""))
            lines += [wrap(f"{reason(result.verdict)}.", "          ")] if reason(result.verdict) else []
    if len(lines) > MANY and not verbose:
        parts.append(f"{len(lines)} obligations are not proved; -v lists them")
    else:
        parts.append("\n".join(lines))
    if hidden and not few and not verbose:
        parts.append(f"advisory  {hidden} findings that fail nothing; -v lists them")
    if three:
        parts.append(f"cross-check: {three} of {len(run.results)} obligations by plain integers too, over all values of the bits "
                     "that matter")
    parts += [theorem_table(run), sentences(library, run)]
    unreached = sum(not any(t.counts.values()) for t in run.theorems) if run.stopped else 0
    if unreached:
        parts.append(f"not reached: {unreached} theorems, of which nothing is decided")
    lacking = run.coverage.get("not_applicable")
    left = [f"not covered: {what}" for what in _texts(run.coverage.get("not_covered"))]
    if isinstance(lacking, list) and lacking:
        left.append(f"not applicable: {len(lacking)} (coverage.not_applicable in the JSON result says what and why)")
    left += [line for line in (coverage_line(run.coverage.get("catalogue")),) if line]
    left += [f"helpers: {what}" for what in _texts(run.coverage.get("helpers")) if verbose or "rests on" not in what]
    parts.append("\n".join(wrap(line, "", "  ") for line in left))
    parts.append("\n".join([closing_line(run), *against]))
    return "\n\n".join(p for p in parts if p)


def _texts(value: object) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else []


def _line(result: Result, color: bool) -> str:
    name = verdict_name(result.verdict).upper()
    painted = f"\x1b[{'32' if name == 'PROVED' else '31'}m{name}\x1b[0m" if color else name
    return f"{painted}{' ' * (9 - len(name))} {result.obligation.id}"


def audit_text(library: Library, run: Run) -> str:
    """One line for each site and property that today's code breaks, worst first, with an entry before and after."""
    found: dict[tuple[str, str, str], list[Result]] = {}
    for result in run.results:
        if verdict_name(result.verdict) in ("refuted", "unknown") and result.obligation.kind in ("invariant", "step"):
            key = (result.obligation.property, result.obligation.transition, result.obligation.group.encoding)
            found.setdefault(key, []).append(result)
    rows = []
    worst = library.spec.first.worst
    for (prop, _, _), results in sorted(found.items(), key=lambda item: (rank(item[0][0], worst), *item[0][1:])):
        first = results[0]
        before, after = _entries(first)
        names = _short([r.obligation.group.variant for r in results], library)
        rows.append([prop, ",".join(first.obligation.catalogue), source_of(library, first), names,
                     f"{before} -> {after}", verdict_name(first.verdict)])
    head = ["property", "row", "site", "variants", "entry", "verdict"]
    total = f"{len(rows)} places to mend; today's code, {', '.join(sorted({k[2] for k in found})) or 'nothing broken'}."
    return "\n\n".join([table(rows, head) if rows else "", total, closing_line(run)]).strip()


def _short(names: list[str], library: Library) -> str:
    """Variants, or `all` where it is every one."""
    proved = {v.name for v in library.variants() if not v.unproved}
    return "all" if set(names) == proved else ",".join(dict.fromkeys(names))


def _entries(result: Result) -> tuple[str, str]:
    """The entry that shows the failure, before and after."""
    counterexample = getattr(result.verdict, "counterexample", None)
    if counterexample is None:
        return "?", "?"
    move = counterexample.move
    process = next((p for p in move.roles if p in (0, 1) and move.before["entry", p] != move.after["entry", p]), 0)
    return _hex(move.before, process), _hex(move.after, process)


def _hex(state: State, process: int) -> str:
    return f"0x{int(state['entry', process]):x}"
