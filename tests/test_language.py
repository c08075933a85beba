# SPDX-License-Identifier: GPL-2.0-or-later
"""The small language: every algebra runs it as a reference interpreter does, and what is not of it
is refused.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import z3

from verifier.base.errors import SpecError, Where
from verifier.engine.bits import Bits
from verifier.engine.terms import Terms
from verifier.language.algebra import Integers
from verifier.language.evaluate import call
from verifier.language.machine import Machine
from verifier.language.meanings import StateVar
from verifier.language.parse import parse_function, parse_signature
from verifier.language.read_yaml import Source
from verifier.language.syntax import BOOL, INDEX, Const, Function, Param
from verifier.language.values import as_truth, as_word

WIDTH = 32  # of an entry
FILE = "some.yaml"


class Names:
    """A scope: helpers by name, a few constants, and perhaps state."""

    width = WIDTH
    ulong = 64
    marks = True

    def __init__(self, helpers: dict[str, tuple[str, str]] | None = None,
                 state: dict[str, StateVar] | None = None):
        self.helpers = helpers or {}  # name -> signature, body
        self.variables = state or {}
        self.observations = {"observed": (Param("p", INDEX),)} if state else {}
        self.done: dict[str, Function] = {}
        self.typing: list[str] = []
        self.plain: dict[str, Const | int] = {
            "SHIFT": 12, "FOUR": 4, "DIRTY": Const(WIDTH, 0x40), "has_it": Const(BOOL, 1),
        }

    def constant(self, name: str) -> Const | int | None:
        return self.plain.get(name)

    def state(self, name: str) -> StateVar | None:
        return self.variables.get(name)

    def through(self, name: str, at: Where) -> Function | None:
        return None

    def observation(self, name: str) -> tuple[Param, ...] | None:
        return self.observations.get(name)

    def names(self) -> Iterable[str]:
        return [*self.helpers, *self.plain, *self.variables, *self.observations]

    def function(self, name: str, at: Where) -> Function | None:
        if name in self.done or name not in self.helpers:
            return self.done.get(name)
        assert name not in self.typing
        signature, body = self.helpers[name]
        self.typing.append(name)
        found = typed(signature, body, self)
        self.typing.pop()
        self.done[name] = found
        return found


def typed(signature: str, body: str, scope: Any = None, where: Where | None = None) -> Function:
    scope = scope or Names()
    where = where or Where(FILE, 1, 1)
    return parse_function(parse_signature(signature, where, scope), Source(body, where), scope)


def run(body: str, signature: str = "f(pte)", *args: int, scope: Any = None) -> Any:
    return call(Machine(Integers()), typed(signature, body, scope), args)


# A reference interpreter that knows nothing of the verifier: Python's own ast, and words that carry
# their width.

class Returned(Exception):
    pass


class W:
    """A word; bare numbers are ints, booleans are bools."""

    def __init__(self, value: int, width: int) -> None:
        self.value, self.width = value % 2**width, width


class Interpreter:
    def __init__(self, helpers: dict[str, tuple[str, str]]) -> None:
        self.helpers = helpers

    def call(self, params: list[str], refs: set[str], body: str,
             args: list[Any]) -> tuple[Any, dict[str, Any]]:
        env: dict[str, Any] = dict(zip(params, args, strict=True))
        tree = ast.parse(body).body
        if len(tree) == 1 and isinstance(tree[0], ast.Expr):
            return self.expr(tree[0].value, env), env
        try:
            self.block(tree, env)
        except Returned as returned:
            return returned.args[0], env
        return None, env

    def block(self, body: list[ast.stmt], env: dict[str, Any]) -> None:
        for node in body:
            match node:
                case ast.Assign(targets=[ast.Name(name)], value=value):
                    env[name] = self.store(env.get(name), self.expr(value, env))
                case ast.AugAssign(target=ast.Name(name), op=op, value=value):
                    env[name] = self.binary(op, env[name], self.expr(value, env))
                case ast.If(test, then, orelse):
                    self.block(then if self.expr(test, env) else orelse, env)
                case ast.For(target=ast.Name(name), iter=ast.Call(args=[bound]), body=inner):
                    for i in range(self.expr(bound, env)):
                        env[name] = i
                        self.block(inner, env)
                case ast.Return(value):
                    raise Returned(self.expr(value, env) if value is not None else None)
                case ast.Expr(value):
                    self.expr(value, env)
                case ast.Pass():
                    pass
                case _:
                    raise AssertionError(ast.dump(node))

    def store(self, old: Any, new: Any) -> Any:
        if type(new) is int:
            return W(new, old.width if isinstance(old, W) else WIDTH)
        return new

    def binary(self, op: ast.operator, a: Any, b: Any) -> Any:
        if not isinstance(a, W) and not isinstance(b, W):
            return a + b if isinstance(op, ast.Add) else a - b  # indices
        width = a.width if isinstance(a, W) else b.width
        x, y = (v.value if isinstance(v, W) else v % 2**width for v in (a, b))
        meanings: dict[type[ast.operator], Callable[[], int]] = {
            ast.BitAnd: lambda: x & y, ast.BitOr: lambda: x | y, ast.BitXor: lambda: x ^ y,
            ast.Add: lambda: x + y,
            ast.Sub: lambda: x - y, ast.Mult: lambda: x * y, ast.LShift: lambda: x * 2**min(y, 256),
            ast.RShift: lambda: x // 2**min(y, 256),
        }
        return W(meanings[type(op)](), width)

    def expr(self, node: ast.expr, env: dict[str, Any]) -> Any:
        match node:
            case ast.Constant(value):
                return value
            case ast.Name(name):
                known: dict[str, Any] = {"FOUR": 4, "SHIFT": 12, "DIRTY": W(0x40, WIDTH),
                                         "has_it": True}
                return env[name] if name in env else known[name]
            case ast.UnaryOp(ast.Not(), operand):
                return not self.expr(operand, env)
            case ast.UnaryOp(ast.Invert(), operand):
                value = self.expr(operand, env)
                return W(-value.value - 1, value.width)
            case ast.BinOp(left, op, right):
                return self.binary(op, self.expr(left, env), self.expr(right, env))
            case ast.BoolOp(op, parts):
                found = [self.expr(part, env) for part in parts]
                return all(found) if isinstance(op, ast.And) else any(found)
            case ast.Compare(left, [op], [right]):
                a, b = self.expr(left, env), self.expr(right, env)
                width = a.width if isinstance(a, W) else b.width if isinstance(b, W) else None
                x, y = (v.value if isinstance(v, W) else v if width is None else v % 2**width
                        for v in (a, b))
                return {ast.Eq: x == y, ast.NotEq: x != y, ast.Lt: x < y, ast.LtE: x <= y,
                        ast.Gt: x > y,
                        ast.GtE: x >= y}[type(op)]
            case ast.IfExp(test, then, orelse):
                a, b = self.expr(then, env), self.expr(orelse, env)
                width = next((v.width for v in (a, b) if isinstance(v, W)), None)
                chosen = a if self.expr(test, env) else b
                return W(chosen, width) if type(chosen) is int and width is not None else chosen
            case ast.Call(ast.Name(name), args):
                return self.called(name, args, env)
        raise AssertionError(ast.dump(node))

    def called(self, name: str, nodes: list[ast.expr], env: dict[str, Any]) -> Any:
        args = [self.expr(node, env) for node in nodes]
        if name not in self.helpers:
            return W(args[0].value if isinstance(args[0], W) else int(args[0]), int(name[1:]))
        signature, body = self.helpers[name]
        parts = [part.strip().split(":")
                 for part in signature[signature.index("(") + 1:-1].split(",") if part.strip()]
        params = [part[0] for part in parts]
        refs = {p for p in params if p in ("ptep", "pmdp", "pudp")}
        widths = [0 if part[1:] == ["bool"] else int(part[1][1:]) if len(part) > 1 else WIDTH
                  for part in parts]
        args = [W(a, w) if type(a) is int and w else a for a, w in zip(args, widths, strict=True)]
        result, after = self.call(params, refs, body, args)
        for node, param in zip(nodes, params, strict=True):
            if param in refs:
                assert isinstance(node, ast.Name)
                env[node.id] = after[param]
        return result


# Random programs.

HELPERS = {
    "low(x:u8)": "x & 0xf",
    "wide(x:u8, c:bool)": "u32(x) << (4 if c else 1)",
    "pick(pte, k:u8)": "if k == 0:\n    return pte\nelif k < 9:\n    return pte ^ (pte >> "
                       "3)\nreturn ~pte + u32(k)",
    "odd(x:u8)": "o = False\nfor i in range(8):\n    if (x >> i) & 1 != 0:\n        o = not "
                 "o\nreturn o",
    "swap(ptep, k:u8)": "old = ptep\nptep = ptep + u32(k)\nif old == 0:\n    return DIRTY\nptep &= "
                        "~DIRTY\nreturn old",
    "both(ptep, pmdp, c:bool)": "if c:\n    return\nt = swap(ptep, 3)\npmdp ^= t\nptep = "
                                "pick(pmdp, low(7))",
}
BY_NAME = {key.split("(")[0]: (key, body) for key, body in HELPERS.items()}


class Writer:
    """Writes a well-typed program: variables a and b are entries, x and y bytes, c and d booleans.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.names: dict[Any, list[str]] = {32: ["a", "b"], 8: ["x", "y"], 0: ["c", "d"]}
        self.loops: list[str] = []
        self.budget = 40
        self.count = 0

    def program(self) -> tuple[str, int]:
        self.returns = self.rng.choice([32, 8, 0])
        lines = self.block(0, 5)
        lines.append(f"return {self.expr(self.returns, 3)}")
        return "\n".join(lines), self.returns

    def block(self, indent: int, size: int) -> list[str]:
        pad = "    " * indent
        known = {kind: list(names) for kind, names in self.names.items()}
        lines: list[str] = []
        for _ in range(self.rng.randint(1, size)):
            lines += self.stmt(indent, pad)
        if indent:
            self.names = known  # what is set in a branch may not have been set behind it
        return lines

    def stmt(self, indent: int, pad: str) -> list[str]:
        self.budget -= 1
        self.count += 1
        rng = self.rng
        choices = ["set", "set", "new", "aug", "call", "pass"]
        if indent < 3 and self.budget > 0:
            choices += ["if", "if", "if", "early", "for"]
        kind = rng.choice(choices)
        width = rng.choice([32, 8, 0])
        if kind == "set":
            right = (str(rng.randint(0, 255)) if width and rng.random() < 0.15
                     else self.expr(width, 3))
            return [f"{pad}{rng.choice(self.names[width])} = {right}"]
        if kind == "new":
            line = f"v{width}_{self.count} = {self.expr(width, 3)}"
            self.names[width].append(f"v{width}_{self.count}")
            return [pad + line]
        if kind == "aug":
            width = rng.choice([32, 8])
            op = rng.choice(["&=", "|=", "^=", "<<=", ">>=", "+=", "-=", "*="])
            return [f"{pad}{rng.choice(self.names[width])} {op} {self.expr(width, 2)}"]
        if kind == "call":
            return [pad + rng.choice([f"swap(a, {self.expr(8, 1)})", "both(a, b, "
                                                                     f"{self.expr(0, 1)})",
                                      f"both(b, a, {self.expr(0, 1)})",
                                      f"b = swap(a, {self.expr(8, 1)}) ^ a"])]
        if kind == "if":
            lines = [f"{pad}if {self.expr(0, 3)}:", *self.block(indent + 1, 3)]
            if rng.random() < 0.4:
                lines += [f"{pad}elif {self.expr(0, 2)}:", *self.block(indent + 1, 3)]
            if rng.random() < 0.6:
                lines += [f"{pad}else:", *self.block(indent + 1, 3)]
            return lines
        if kind == "early":
            inside = self.block(indent + 1, 2)
            return [f"{pad}if {self.expr(0, 2)}:", *inside,
                    f"{pad}    return {self.expr(self.returns, 2)}"]
        if kind == "for":
            name = f"i{self.count}"
            self.loops.append(name)
            body = self.block(indent + 1, 3)
            self.loops.pop()
            return [f"{pad}for {name} in range({rng.choice(['1', '2', '3', 'FOUR'])}):", *body]
        return [f"{pad}pass"]

    def number(self, width: int) -> str:
        if self.loops and self.rng.random() < 0.5:
            return self.rng.choice([self.loops[-1], f"({self.loops[-1]} + 1)"])
        form = self.rng.choice(["{}", "{:#x}"])
        return form.format(self.rng.choice([0, 1, 3, 7, width, 200, (1 << width) - 1]))

    def expr(self, width: int, depth: int) -> str:
        rng = self.rng
        if width == 0:
            return self.truth(depth)
        if depth == 0 or rng.random() < 0.15:
            constants = (["DIRTY", f"u32({self.number(8)})"] if width == 32
                         else [f"u8({self.number(8)})"])
            return rng.choice([*self.names[width], *self.names[width], *constants])
        kind = rng.choice(["bin", "bin", "bin", "num", "rnum", "not", "if", "cast", "help"])
        if kind == "bin":
            op = rng.choice(["&", "|", "^", "+", "-", "<<", ">>"] + ["*"] * (width == 8))
            return f"({self.expr(width, depth - 1)} {op} {self.expr(width, depth - 1)})"
        if kind == "num":
            op = rng.choice(["&", "|", "^", "+", "-", "<<", ">>", "*"])
            return f"({self.expr(width, depth - 1)} {op} {self.number(width)})"
        if kind == "rnum":
            return (f"({self.number(width)} {rng.choice(['&', '-', '<<', '>>'])} "
                    f"{self.expr(width, depth - 1)})")
        if kind == "not":
            return f"~{self.expr(width, depth - 1)}"
        if kind == "if":
            other = rng.choice([self.expr(width, depth - 1), self.number(width)])
            return f"({self.expr(width, depth - 1)} if {self.truth(depth - 1)} else {other})"
        if kind == "cast":
            return f"u{width}({self.expr(rng.choice([0, 8, 32]), depth - 1)})"
        if width == 32:
            return rng.choice([f"wide({self.expr(8, depth - 1)}, {self.truth(depth - 1)})",
                               f"pick({self.expr(32, depth - 1)}, {self.expr(8, depth - 1)})"])
        return f"low({self.expr(8, depth - 1)})"

    def truth(self, depth: int) -> str:
        rng = self.rng
        if depth == 0:
            return rng.choice([*self.names[0], *self.names[0], "has_it", "True", "False"])
        kind = rng.choice(
            ["cmp", "cmp", "cmp", "logic", "logic", "not", "if", "same", "odd", "leaf", "index"]
        )
        if kind == "cmp":
            width = rng.choice([8, 32])
            op = rng.choice(["==", "!=", "<", "<=", ">", ">="])
            right = self.number(width) if rng.random() < 0.4 else self.expr(width, depth - 1)
            return f"({self.expr(width, depth - 1)} {op} {right})"
        if kind == "logic":
            parts = [self.truth(depth - 1) for _ in range(rng.randint(2, 3))]
            return "(" + f" {rng.choice(['and', 'or'])} ".join(parts) + ")"
        if kind == "not":
            return f"(not {self.truth(depth - 1)})"
        if kind == "if":
            return (
                f"({self.truth(depth - 1)} if {self.truth(depth - 1)} else {self.truth(depth - 1)})"
            )
        if kind == "same":
            return f"({self.truth(depth - 1)} {rng.choice(['==', '!='])} {self.truth(depth - 1)})"
        if kind == "index" and self.loops:
            return f"({self.loops[-1]} {rng.choice(['==', '<', '>='])} {rng.randint(0, 3)})"
        return f"odd({self.expr(8, depth - 1)})" if kind == "odd" else self.truth(0)


SIGNATURE = "f(a, b, x:u8, y:u8, c:bool, d:bool)"
KINDS = (32, 32, 8, 8, 0, 0)


def random_inputs(rng: random.Random) -> list[int]:
    return [rng.random() < 0.5 if not k
            else rng.choice([0, 1, (1 << k) - 1, rng.getrandbits(k), rng.getrandbits(k)])
            for k in KINDS]


def expected(text: str, kind: int, inputs: list[int]) -> int:
    words = [W(v, k) if k else bool(v) for v, k in zip(inputs, KINDS, strict=True)]
    result, _ = Interpreter(BY_NAME).call(list("abxycd"), set(), text, words)
    if kind:
        assert result.width == kind
        return int(result.value)
    return int(result)


@pytest.mark.parametrize("seed", range(8))
def test_plain_integers_are_as_the_reference(seed: int) -> None:
    rng = random.Random(seed)
    for number in range(60):
        text, kind = Writer(seed * 1000 + number).program()
        function = typed(SIGNATURE, text, Names(BY_NAME))
        assert function.returns == kind
        for _ in range(4):
            inputs = random_inputs(rng)
            found = call(Machine(Integers()), function, tuple(inputs))
            assert isinstance(found, int) and found == expected(text, kind, inputs), text


@pytest.mark.parametrize("seed", range(6))
def test_bits_and_terms_are_as_the_reference(seed: int) -> None:
    rng = random.Random(seed)
    for number in range(20):
        text, kind = Writer(50_000 + seed * 1000 + number).program()
        function = typed(SIGNATURE, text, Names(BY_NAME))
        bits, terms = Bits(), Terms()
        names = "abxycd"
        over_bits = call(Machine(bits), function, tuple(
            bits.input_word(n, k) if k else bits.input_bool(n)
            for n, k in zip(names, KINDS, strict=True)))
        over_terms = call(Machine(terms), function, tuple(
            terms.input_word(n, k) if k else terms.input_bool(n)
            for n, k in zip(names, KINDS, strict=True)))
        for _ in range(4):
            inputs = random_inputs(rng)
            right = expected(text, kind, inputs)
            literals = (as_word(bits, over_bits).bits if kind
                        else [as_truth(bits, over_bits)])
            read = bits.evaluate(literals, dict(zip(names, inputs, strict=True)))
            assert sum(bit << i for i, bit in enumerate(read)) == right, text
            pairs = [(terms.inputs[n], z3.BitVecVal(v, k) if k else z3.BoolVal(bool(v)))
                     for n, v, k in zip(names, inputs, KINDS, strict=True)]
            value = z3.simplify(z3.substitute(over_terms, *pairs))
            assert (value.as_long() if kind else int(z3.is_true(value))) == right, text


def test_the_random_programs_have_everything() -> None:
    texts = "\n".join(Writer(seed).program()[0] for seed in range(480))
    for word in ("if ", "elif ", "else:", "for ", "return ", "swap(", "both(", "pick(", "odd(",
                 "u8(", "u32(", "<<=",
                 " and ", " or ", "not ", "pass", "~", " if ", "FOUR", " * "):
        assert texts.count(word) >= 20, word


@pytest.mark.parametrize(("body", "result"), [
    ("0xff << 32", 0), ("u8(pte) << u8(3)", 0x90), ("u64(pte) >> SHIFT", 0xABCDE),
    ("(pte << 4) >> 4", 0x0BCDEF12),
    ("u1(pte != 0)", 1), ("u1(pte)", 0), ("u128(pte) << 96", 0xABCDEF12 << 96),
    ("pte if has_it else 0", 0xABCDEF12),
    ("5 - pte", (5 - 0xABCDEF12) % 2**32), ("SHIFT + FOUR", 16), ("2 < SHIFT", True),
    ("pte >= 0xabcdef12", True),
    ("0 <= pte and pte <= 0xffffffff", True), ("True != has_it", False), ("~0", 2**32 - 1),
])
def test_the_language_as_documented(body: str, result: int) -> None:
    assert run(body, "f(pte)", 0xABCDEF12) == result


def test_a_helper_that_stores_changes_what_it_was_given() -> None:
    body = "old = swap(pte, 2)\nreturn pte ^ (old << 16)"
    assert run(body, "f(pte)", 0x41, scope=Names(BY_NAME)) == 0x03 ^ 0x410000


# What is refused, where, and with which hint.

AT = Where("dir/file.yaml", 7, 5)  # the first character of the text


@pytest.mark.parametrize(("body", "line", "column", "message"), [
    # names
    ("pte & DIRTI", 7, 11, "unknown name 'DIRTI'; did you mean DIRTY?"),
    ("lwo(u8(pte))", 7, 5, "unknown helper 'lwo'; did you mean low?"),
    ("x = pte\nreturn y", 8, 12, "unknown name 'y'"),
    ("first = pte\nreturn frist", 8, 12, "unknown name 'frist'; did you mean first?"),
    ("x += 1\nreturn x", 7, 5, "unknown name 'x'"),
    ("if pte == 0:\n    x = pte\nreturn x", 9, 12, "x may not have been set here"),
    ("if pte == 0:\n    x = pte\nx += 1\nreturn x", 9, 5, "x may not have been set here"),
    ("for i in range(3):\n    x = pte\nreturn x + u32(i)", 9, 20, "i may not have been set here"),
    ("entry[0]", 7, 5, "unknown state variable 'entry'"),
    # types
    ("pte & u8(1)", 7, 11, "is u8, but u32 is needed"),
    ("u8(pte) + pte", 7, 15, "is u32, but u8 is needed"),
    ("pte and True", 7, 5, "is u32, not bool; write `!= 0`"),
    ("x = not pte\nreturn x", 7, 13, "is u32, not bool; write `!= 0`"),
    ("if pte & DIRTY:\n    return 1\nreturn 2", 7, 8, "is u32, not bool; write `!= 0`"),
    ("~has_it", 7, 6, "is bool, not a word"),
    ("has_it + has_it", 7, 5, "is bool, not a word"),
    ("has_it < True", 7, 5, "booleans have no order"),
    ("pte == True", 7, 12, "is bool, but u32 is needed"),
    ("has_it == 1", 7, 15, "is u32, but bool is needed"),
    ("pte if has_it else u8(0)", 7, 24, "is u8, but u32 is needed"),
    ("pte if pte else 0", 7, 12, "is u32, not bool; write `!= 0`"),
    ("pte & 0x100000000", 7, 11, "0x100000000 does not fit into u32"),
    ("u8(256)", 7, 8, "0x100 does not fit into u8"),
    ("x = pte\nx = u8(3)\nreturn x", 8, 9, "is u8, but u32 is needed"),
    ("if has_it:\n    x = pte\nelse:\n    x = True\nreturn x", 10, 13,
     "is bool, but u32 is needed"),
    ("low(pte)", 7, 9, "is u32, but u8 is needed"),
    ("low(u8(pte), 2)", 7, 5, "low takes 1 arguments, not 2"),
    ("low()", 7, 5, "low takes 1 arguments, not 0"),
    ("swap(pte + 1, 2)", 7, 10, "only a name or entry[p] can be set"),
    ("swap(5, 2)", 7, 10, "only a name or entry[p] can be set"),
    ("x = both(pte, pte, has_it)\nreturn x", 7, 9, "has no value"),
    ("u8()", 7, 5, "u8(x) converts one value to a word of 1 to 128 bits"),
    ("u129(pte)", 7, 5, "u129(x) converts one value to a word of 1 to 128 bits"),
    ("u0(pte)", 7, 5, "unknown helper 'u0'"),
    # ways
    ("if has_it:\n    return pte", 7, 5, "not every way through returns a value"),
    ("return pte\nreturn pte", 8, 5, "is never reached"),
    ("if has_it:\n    return pte\nreturn True", 9, 5, "returns bool, but u32 above"),
    ("if has_it:\n    return\nreturn pte", 9, 5, "returns u32, but nothing above"),
    ("for i in range(2):\n    return pte\nreturn pte", 7, 5, "a loop's body always returns"),
    # what is set
    ("DIRTY = pte\nreturn pte", 7, 5,
     "DIRTY is a field, a constant or a feature and cannot be set"),
    ("for i in range(2):\n    i = 1\nreturn pte", 8, 9, "i counts a loop and cannot be set"),
    ("for pte in range(2):\n    pass\nreturn 1", 7, 9, "pte already means something else"),
    ("for i in range(2):\n    for i in range(2):\n        pass\nreturn 1", 8, 13,
     "i already means something else"),
    ("for i in range(129):\n    pass\nreturn pte", 7, 20,
     "a loop runs a known number of times, 1 to 128"),
    ("for i in range(0):\n    pass\nreturn pte", 7, 20,
     "a loop runs a known number of times, 1 to 128"),
    ("for i in range(pte):\n    pass\nreturn pte", 7, 20,
     "a loop runs a known number of times, 1 to 128"),
    ("for i in range(1, 3):\n    pass\nreturn pte", 7, 5, "a loop is `for i in range(n):`"),
    ("for i in pte:\n    pass\nreturn pte", 7, 5, "a loop is `for i in range(n):`"),
    ("for i in range(2):\n    pass\nelse:\n    pass\nreturn pte", 7, 5,
     "a loop is `for i in range(n):`"),
    # what is evaluated on one way only must not change anything, and an index is no result
    ("has_it and swap(pte, 1) == 0", 7, 16, "changes something, but may not be evaluated"),
    ("swap(pte, 1) if has_it else 0", 7, 5, "changes something, but may not be evaluated"),
    ("for i in range(2):\n    x = pte << (i if pte == 0 else 1)\nreturn x", 8, 21,
     "is an index; only"),
    ("for i in range(2):\n    if pte == 0:\n        return i\nreturn 1", 9, 13,
     "is an index; only"),
    ("other(0)", 7, 5, "is an index; only"),
    # not of the language
    ("pte.dirty", 7, 5, "attribute is not of the language"),
    ("pte.bit_length()", 7, 5, "a call is a name with plain arguments"),
    ("().__class__", 7, 5, "attribute is not of the language"),
    ("import os", 7, 5, "import is not of the language"),
    ("from os import system", 7, 5, "importfrom is not of the language"),
    ("lambda: pte", 7, 5, "lambda is not of the language"),
    ("low(x=u8(pte))", 7, 5, "a call is a name with plain arguments"),
    ("low(**pte)", 7, 5, "a call is a name with plain arguments"),
    ("low(*pte)", 7, 5, "a call is a name with plain arguments"),
    ("low(u8(pte))(pte)", 7, 5, "a call is a name with plain arguments"),
    ("eval('1')", 7, 5, "unknown helper 'eval'"),
    ("exec('1')", 7, 5, "unknown helper 'exec'"),
    ("__import__('os')", 7, 5, "unknown helper '__import__'"),
    ("print(pte)", 7, 5, "unknown helper 'print'"),
    ("open('x')", 7, 5, "unknown helper 'open'"),
    ("def g():\n    pass", 7, 5, "functiondef is not of the language"),
    ("class A:\n    pass", 7, 5, "classdef is not of the language"),
    ("while True:\n    pass", 7, 5, "while is not of the language"),
    ("try:\n    pass\nfinally:\n    pass", 7, 5, "try is not of the language"),
    ("with pte:\n    pass", 7, 5, "with is not of the language"),
    ("global pte", 7, 5, "global is not of the language"),
    ("del pte", 7, 5, "delete is not of the language"),
    ("raise pte", 7, 5, "raise is not of the language"),
    ("match pte:\n    case _:\n        pass", 7, 5, "match is not of the language"),
    ("x: u8 = 1\nreturn x", 7, 5, "annassign is not of the language"),
    ("x = y = pte\nreturn x", 7, 5, "assign is not of the language"),
    ("x, y = pte, pte\nreturn x", 7, 5, "only a name or entry[p] can be set"),
    ("(x := pte)", 7, 6, "namedexpr is not of the language"),
    ("[x for x in pte]", 7, 5, "listcomp is not of the language"),
    ("(pte, pte)", 7, 5, "tuple is not of the language"),
    ("{pte: 1}", 7, 5, "dict is not of the language"),
    ("f'{pte}'", 7, 5, "joinedstr is not of the language"),
    ("await pte", 7, 5, "await is not of the language"),
    ("yield pte", 7, 5, "yield is not of the language"),
    ("pte / 2", 7, 5, "operator div is not of the language"),
    ("pte // 2", 7, 5, "operator floordiv is not of the language"),
    ("pte % 2", 7, 5, "operator mod is not of the language"),
    ("pte ** 2", 7, 5, "operator pow is not of the language"),
    ("pte @ pte", 7, 5, "operator matmult is not of the language"),
    ("-pte", 7, 5, "usub is not of the language"),
    ("-1", 7, 5, "usub is not of the language"),
    ("+pte", 7, 5, "uadd is not of the language"),
    ("pte /= 2\nreturn pte", 7, 5, "augassign is not of the language"),
    ("pte is pte", 7, 5, "is is not of the language"),
    ("pte in pte", 7, 5, "in is not of the language"),
    ("0 < pte < 5", 7, 5, "one comparison at a time; join them with `and`"),
    ("'text'", 7, 5, "is neither a number nor True or False"),
    ("1.5", 7, 5, "is neither a number nor True or False"),
    ("None", 7, 5, "is neither a number nor True or False"),
    ("...", 7, 5, "is neither a number nor True or False"),
    ("2j", 7, 5, "is neither a number nor True or False"),
    ("pass\npte", 8, 5, "does nothing"),
    ("assert has_it\nreturn pte", 7, 5, "an assert names its property"),
    ("assert pte, 'p'\nreturn pte", 7, 12, "is u32, not bool"),
    ("hardware(u8(1))\nreturn pte", 7, 14, "only a name or entry[p] can be set"),
    ("hardware()\nreturn pte", 7, 5, "hardware() takes one entry"),
    ("observed(0)", 7, 5, "unknown helper 'observed'"),
    ("pte +", 7, 10, "not of the language: invalid syntax"),
    ("x = pte\n  return x", 8, 6, "not of the language: unexpected indent"),
    ("", 7, 5, "is empty"),
    ("# nothing", 7, 5, "is empty"),
])
def test_errors_have_their_place(body: str, line: int, column: int, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        typed("f(pte)", body, Names(BY_NAME), AT)
    assert str(caught.value).startswith(f"dir/file.yaml:{line}:{column}: error: {message}")
    assert "\n" not in str(caught.value)


STATE = {"entry": StateVar(WIDTH, 2), "ksm": StateVar(BOOL), "seen": StateVar(BOOL, None, False)}


@pytest.mark.parametrize(("body", "column", "message"), [
    ("entry", 5, "entry needs an index: entry[p]"),
    ("ksm[0]", 5, "ksm has no index"),
    ("entry[2]", 11, "index out of range; entry has 2"),
    ("entry[pte]", 11, "is u32, but an index is needed"),
    ("entri[0]", 5, "unknown state variable 'entri'; did you mean entry?"),
    ("(entry[0])[0]", 5, "only a state variable has an index"),
    ("entry[0:1]", 11, "slice is not of the language"),
    ("seen = True", 5, "seen cannot be set here"),
    ("ksm = pte", 11, "is u32, but bool is needed"),
    ("observed(pte)", 14, "is u32, but an index is needed"),
    ("hardware(ksm)", 5, "hardware() takes one entry"),
    ("ksm and change(0)", 13, "changes something, but may not be evaluated"),
])
def test_errors_about_state(body: str, column: int, message: str) -> None:
    scope = Names({"change": ("change(p:process)", "entry[p] = 0\nreturn True")}, STATE)
    with pytest.raises(SpecError) as caught:
        typed("f(pte)", body, scope, AT)
    assert str(caught.value).startswith(f"dir/file.yaml:7:{column}: error: {message}")


@pytest.mark.parametrize(("signature", "message"), [
    ("f(pte", "not of the language"), ("f(x:u129)", "unknown type of parameter 'x'"),
    ("f(x:int)", "unknown type of parameter 'x'"), ("f(x:u8[2])", "unknown type of parameter 'x'"),
    ("f(x, x)", "parameter 'x' stands twice"), ("f(*x)", "parameters are names"),
    ("f(**x)", "parameters are names"), ("f(x=1)", "parameters are names"),
    ("f(x, /)", "parameters are names"),
    ("f(*, x)", "parameters are names"), ("f(x) -> u8", "is no name with parameters"),
    ("f x", "not of the language"),
    ("f(): pass\ndef g()", "is no name with parameters"),
    ("f(): x = (1)#", "is no name with parameters"),
    ("", "not of the language"), ("f(): pass #", "is no name with parameters"),
])
def test_signatures_that_are_none(signature: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_signature(signature, AT, Names())
    assert str(caught.value).startswith(f"dir/file.yaml:{caught.value.where.line}:")
    assert message in caught.value.message and "\n" not in str(caught.value)


@pytest.mark.filterwarnings("error")
def test_python_does_not_warn() -> None:
    assert run("0x1if pte == 5else 2", "f(pte)", 5) == 1
    with pytest.raises(SpecError, match="is neither a number"):
        run("'\\d'")


# Bounds.

def parens(depth: int) -> str:
    return "~(" * depth + "pte" + ")" * depth


@pytest.mark.parametrize(("body", "message"), [
    (parens(70), "nests deeper than 64"),
    (parens(5000), "nests deeper than 64|not of the language"),
    ("(" * 3000 + "pte" + ")" * 3000, "nests deeper than 64|not of the language"),
    (" + ".join(["pte"] * 80), "nests deeper than 64"),
    ("\n".join(" " * i + "if has_it:" for i in range(90)) + "\n" + " " * 90 + "pass",
     "nests deeper|not of the"),
    ("\n".join(["x = pte"] * 401), "has more than 400 statements"),
    ("pte" + " " * 16384, "text is longer than 16384 characters"),
    ("for i in range(128):\n    for j in range(128):\n        x = pte",
     "unrolls to more than 8000 statements"),
    ("1" * 6000, "not of the language|does not fit"), ("0x" + "f" * 9000, "does not fit"),
    ("pte & \0", "not of the language"), ("pte & \ud800", "not of the language"),
])
def test_bounds(body: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        typed("f(pte)", body)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_within_the_bounds() -> None:
    assert run(parens(60), "f(pte)", 5) == 5
    assert run("\n".join(["x = pte"] * 398) + "\nreturn x", "f(pte)", 5) == 5
    assert run("x = pte\nfor i in range(128):\n    x += 1\nreturn x", "f(pte)", 5) == 133


def chain(length: int) -> Names:
    helpers = {f"h{i}": (f"h{i}(pte)", f"h{i + 1}(pte) + 1") for i in range(length)}
    return Names(helpers | {f"h{length}": (f"h{length}(pte)", "pte")})


def test_calls_nest_32_deep() -> None:
    assert run("h0(pte)", "f(pte)", 1, scope=chain(30)) == 31
    with pytest.raises(SpecError, match="calls nest deeper than 32"):
        run("h0(pte)", "f(pte)", 1, scope=chain(33))


def nested(helpers: int, depth: int) -> Names:
    texts = {f"n{i}": (f"n{i}(pte)", "~(" * depth + f"n{i - 1}(pte)" + ")" * depth)
             for i in range(1, helpers + 1)}
    return Names(texts | {"n0": ("n0(pte)", "pte")})


def test_nesting_is_bounded_with_what_is_called() -> None:
    scope = nested(10, 16)
    for i in range(11):
        scope.function(f"n{i}", AT)  # from the bottom, so that typing does not nest
    bits = Bits()
    word = bits.input_word("pte", WIDTH)
    assert call(Machine(bits), scope.done["n10"], (word,)) is word
    scope = nested(10, 20)
    with pytest.raises(SpecError, match="nests deeper than 200 with what it calls"):
        for i in range(11):
            scope.function(f"n{i}", AT)
