# SPDX-License-Identifier: GPL-2.0-or-later
"""An obligation as a C program that fails where it is violated, for CBMC and for compilers.

Words have exactly their width: `unsigned __CPROVER_bitvector[N]` for CBMC, else C23's `unsigned
_BitInt(N)`. Inputs come from functions `nondet_...`, which may return anything under CBMC. A
compiler needs definitions of them: with -DPTEPROOF_VALUES the program includes `values.h`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from verifier.engine.smtlib import Term, cone
from verifier.language.syntax import BOOL

__all__ = ["c_harness", "c_name"]

_BINARY = {"band": "&", "bor": "|", "bxor": "^", "add": "+", "sub": "-", "mul": "*", "eq": "==",
           "ult": "<", "same": "==", "shl": "<<", "lshr": ">>"}


def c_name(name: str) -> str:
    """The C name of an input; different names stay different."""
    return "in_" + re.sub(r"[^A-Za-z0-9]", lambda m: f"_{ord(m[0]):x}_", name)


def c_harness(header: Sequence[str], violated: Term) -> str:
    """A whole C program; its assertion fails for exactly the inputs where `violated` is true.

    `header` has lines of comment for its beginning.
    """
    below = cone([violated])
    widths = sorted({t.width for t in below if t.width != BOOL}
                    | {2 * t.width for t in below if t.op in ("ashr", "slt", "sext")})
    lines = [f"/* {line} */" for line in header]
    lines += ["#include <assert.h>", "#include <stdbool.h>"]
    for width in widths:
        lines += ["#ifdef __CPROVER__", f"typedef unsigned __CPROVER_bitvector[{width}] u{width};",
                  "#else",
                  f"typedef unsigned _BitInt({width}) u{width};" if width > 1
                  else "typedef unsigned _BitInt(1) u1;", "#endif"]
    inputs = [t for t in below if t.op == "input"]
    lines += ["#ifdef PTEPROOF_VALUES", '#include "values.h"', "#else"]
    lines += [f"{_type(t)} nondet_{c_name(t.name)}(void); /* {t.name} */" for t in inputs]
    lines += ["#endif", "", "int main(void)", "{"]
    names: dict[int, str] = {}
    for term in below:
        if term.op == "const":
            names[term.at] = (("true" if term.number else "false") if term.width == BOOL
                              else _number(term))
            continue
        own = names[term.at] = c_name(term.name) if term.op == "input" else f"t{term.at}"
        value = (f"nondet_{own}()" if term.op == "input"
                 else _value(term, [names[a.at] for a in term.args]))
        lines.append(f"\t{_type(term)} {own} = {value};")
    lines += [f"\tassert(!{names[violated.at]});", "\treturn 0;", "}"]
    return "\n".join(lines) + "\n"


def _type(term: Term) -> str:
    return "bool" if term.width == BOOL else f"u{term.width}"


def _number(term: Term) -> str:
    assert term.number is not None
    parts = [f"((u{term.width}){term.number >> at & (1 << 32) - 1:#x}u << {at})" if at else
             f"((u{term.width}){term.number & (1 << 32) - 1:#x}u)"
             for at in range(0, term.width, 32)]
    return parts[0] if len(parts) == 1 else f"({' | '.join(parts)})"


def _value(term: Term, args: list[str]) -> str:
    """The C expression of an operation.

    C leaves a shift by the width or more undefined; here it gives what the language says.
    """
    width = term.args[0].width
    match term.op:
        case "shl" | "lshr":
            if width == 1:
                return f"{args[1]} ? (u1)0 : {args[0]}"
            limit = f"(u{width}){min(width, (1 << width) - 1)}u"
            return f"{args[1]} < {limit} ? {args[0]} {_BINARY[term.op]} {args[1]} : (u{width})0"
        case "ashr":
            wide = f"(u{2 * width})"
            sign = f"({args[0]} >> {width - 1} ? ~{wide}0 << {width} : {wide}0)"
            amount = (f"({args[1]} < (u{width}){min(width, (1 << width) - 1)}u ? {wide}{args[1]} : "
                      f"{wide}{width})")
            return f"(u{width})((({sign}) | {wide}{args[0]}) >> {amount})"
        case "slt":
            top = f"((u{width})1 << {width - 1})"
            return f"({args[0]} ^ {top}) < ({args[1]} ^ {top})"
        case "bnot":
            return f"~{args[0]}"
        case "neg":
            return f"!{args[0]}"
        case "all" | "any":
            return f" {'&&' if term.op == 'all' else '||'} ".join(args)
        case "ite" | "choose":
            return f"{args[0]} ? {args[1]} : {args[2]}"
        case "extract":
            return f"(u{term.width})({args[0]} >> {term.params[0]})"
        case "zext":
            return f"(u{term.width}){args[0]}"
        case "sext":
            narrow = term.args[0].width
            return (f"((u{term.width}){args[0]} ^ ((u{term.width})1 << {narrow - 1})) - "
                    f"((u{term.width})1 << {narrow - 1})")
        case "concat":
            low = term.args[1].width
            return f"((u{term.width}){args[0]} << {low}) | (u{term.width}){args[1]}"
    return f"{args[0]} {_BINARY[term.op]} {args[1]}"
