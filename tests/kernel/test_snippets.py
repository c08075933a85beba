# SPDX-License-Identifier: GPL-2.0-or-later
"""The lifter against reality: each snippet, lifted from the code of several targets, gives what the
machine gives.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import z3

from kernel.harness import (
    SNIPPETS,
    arguments,
    exported,
    lift,
    needs_clang,
    run_lifted,
    run_native,
    to_ir,
    to_library,
)
from verifier.engine.terms import Terms
from verifier.kernel.llvm.ir import Int, Pointer
from verifier.kernel.llvm.values import LiftedWord, Truth

pytestmark = needs_clang

FILES = sorted(SNIPPETS.glob("*.c"))
NAMES = [(path, name) for path in FILES for name in exported(path)]
TARGETS = ("x86_64-linux-gnu", "aarch64-linux-gnu", "i686-linux-gnu", "powerpc64-linux-gnu")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    folder = tmp_path_factory.mktemp("snippets")
    found: dict[Any, Any] = {path: to_library(path, folder) for path in FILES}
    for path in FILES:
        for target in TARGETS:
            found[path, target] = to_ir(path, folder, target)
        found[path, "unoptimised"] = to_ir(path, folder, TARGETS[0], "-O0")
    return found


def test_there_are_about_forty_snippets() -> None:
    assert len(NAMES) >= 40


@pytest.mark.parametrize(("path", "name"), NAMES, ids=[name for _, name in NAMES])
def test_lifted_code_gives_what_the_machine_gives(
    built: dict[Any, Any], path: Path, name: str
) -> None:
    reference = built[path, TARGETS[0]].function(name)
    for args in arguments(reference, len(name), 60):
        expected = run_native(built[path], reference, args)
        for target in (*TARGETS, "unoptimised"):
            if path.stem.endswith("_le") and target == "powerpc64-linux-gnu":
                continue
            assert run_lifted(built[path, target], name, args) == expected, (target, args)


@pytest.mark.parametrize(("path", "name"), NAMES, ids=[name for _, name in NAMES])
def test_terms_give_what_the_machine_gives(built: dict[Any, Any], path: Path, name: str) -> None:
    """Lifted once to z3's terms, whose values are then put in."""
    module = built[path, TARGETS[0]]
    function = module.function(name)
    terms = Terms()
    shapes = [
        [f"a{n}[{i}]" for i in range(4)] if isinstance(p.type, Pointer) else f"a{n}"
        for n, p in enumerate(function.params)
    ]
    result, memory, _ = lift(
        module,
        name,
        shapes,
        terms,
        lambda a, w: terms.input_word(a, w) if w else terms.input_bool(a),
    )
    for args in arguments(function, len(name) + 1, 12):
        expected = run_native(built[path], function, args)
        values: list[tuple[z3.ExprRef, z3.ExprRef]] = []
        for kind, shape, arg in zip([p.type for p in function.params], shapes, args, strict=True):
            if isinstance(kind, Pointer):
                values += [
                    (z3.BitVec(s, 64), z3.BitVecVal(v, 64)) for s, v in zip(shape, arg, strict=True)
                ]
                continue
            assert isinstance(shape, str)
            if kind == Int(1):
                values.append((z3.Bool(shape), z3.BoolVal(bool(arg))))
            else:
                values.append((z3.BitVec(shape, kind.width), z3.BitVecVal(arg, kind.width)))
        found = None
        if isinstance(result, LiftedWord):
            found = z3.simplify(z3.substitute(result.term, *values)).as_long()
        elif isinstance(result, Truth):
            found = int(z3.is_true(z3.simplify(z3.substitute(result.term, *values))))
        assert found == expected.result, args
        rows = tuple(
            tuple(z3.simplify(z3.substitute(w, *values)).as_long() for w in row) for row in memory
        )
        assert rows == expected.memory, args


def test_big_endian_memory(tmp_path: Path) -> None:
    """On a big-endian machine the first byte is the highest."""
    source = tmp_path / "be.c"
    source.write_text(
        "unsigned first(unsigned long long *p) { return ((unsigned char *)p)[0] * 256u + ((unsigned"
        " char *)p)[15]; }\nvoid put(unsigned long long *p, unsigned char v) { ((unsigned char"
        " *)p)[1] = v; ((unsigned short *)p)[7] = 0xabcd; }\n"
    )
    module = to_ir(source, tmp_path, "powerpc64-linux-gnu")
    words = (0x1122334455667788, 0x99AABBCCDDEEFF01, 0, 0)
    assert run_lifted(module, "first", (words,)).result == 0x1101
    assert run_lifted(module, "put", (words, 0xEE)).memory == (
        (0x11EE334455667788, 0x99AABBCCDDEEABCD, 0, 0),
    )
