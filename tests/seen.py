# SPDX-License-Identifier: GPL-2.0-or-later
"""What a reader of a refutation can work out from the printed values, and from nothing else."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from verifier.model.spec import Property
from verifier.prove.results import Counterexample, Result
from verifier.report.why import Shown, why
from verifier.run.library import Library


def found(result: Result) -> Counterexample | None:
    counterexample: Counterexample | None = getattr(result.verdict, "counterexample", None)
    return (counterexample if counterexample is not None
            and result.obligation.transition not in ("init", "static") else None)


def sees(node: ast.expr, terms: Mapping[str, Any], texts: Mapping[str, str]) -> Any:
    """What an expression is worth to who knows these terms alone; None where they do not say."""
    if ast.unparse(node) in terms:
        return terms[ast.unparse(node)]
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.Not(), operand=part):
            value = sees(part, terms, texts)
            return None if value is None else not value
        case ast.BoolOp(op=op, values=parts):
            decides, known = isinstance(op, ast.Or), [sees(p, terms, texts) for p in parts]
            return decides if decides in known else None if None in known else not decides
        case ast.IfExp(test=test, body=then, orelse=other):
            way = sees(test, terms, texts)
            return None if way is None else sees(then if way else other, terms, texts)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            one, two = sees(left, terms, texts), sees(right, terms, texts)
            return None if one is None or two is None else {ast.Eq: one == two,
                                                            ast.NotEq: one != two,
                                                            ast.Lt: one < two,
                                                            ast.LtE: one <= two, ast.Gt: one > two,
                                                            ast.GtE: one >= two}[type(op)]
        case ast.Call(func=ast.Name(id=name)) if name in texts:
            return sees(ast.parse(texts[name].strip(), mode="eval").body, terms, texts)
    return None


def shows(library: Library, prop: Property, shown: Shown | None) -> bool:
    """Do the terms decide that the sentence fails? Of a comparison: is there a difference, or what
    the step says?
    """
    if shown is None or not shown.terms:
        return False
    if shown.says:
        return shown.terms[0].before != shown.terms[0].after or "stays" not in shown.says
    texts = {d.signature.split("(")[0]: d.body.text for d in library.spec.truths}
    terms = {t.text: int(t.after, 16) if t.after.startswith("0x") else t.after == "1"
             for t in shown.terms}
    return any(text is not None and sees(ast.parse(text.text.strip(), mode="eval").body, terms,
                                         texts) is False
               for text in (prop.holds, prop.shows))


def shown(library: Library, result: Result) -> Shown | None:
    """What a report shows of a refutation."""
    counterexample, o = found(result), result.obligation
    assert counterexample is not None, o.id
    return why(library.group_model(o.group), o.group, counterexample.move, o.property,
               counterexample.process)
