# SPDX-License-Identifier: GPL-2.0-or-later
"""Architectures that clang has no target for: another target of the same word size and byte order
looks like them.

The kernel's headers are preprocessed with the architecture's own macros, assembly is taken out of
the text, and the rest is compiled for the look-alike. What assembly would give becomes a call of a
function that nobody has: whatever needs it is INCOMPLETE, never guessed. `python -m
verifier.kernel.tree.lookalike` is the compiler that kbuild is given; see `write_compiler`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # this file runs as it is; see write_compiler
    sys.path[0] = str(Path(__file__).resolve().parents[3])
from verifier.kernel.tree import patched

__all__ = ["Lookalike", "filtered", "strip_asm", "write_compiler"]

ANYTHING = "pteproof_anything"  # void *(void): what assembly gives
EFFECT = "pteproof_effect"  # void (void): what assembly does
JUMP = "pteproof_jump"  # int (void): does asm goto jump?

_NOT_FOR_US = re.compile(
    r"-m(?!cmodel=)|-ffixed-|-fcall-|-Wa,|-G|--target|-fsection-anchors|-Wno-psabi|-Werror"
    r"|-fno-delete-null|-fplugin|-fintegrated-as|-fno-integrated-as|-no-canonical-prefixes"
)
_TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|[A-Za-z_]\w*|\n|[ \t]+|.', re.S)
_ALTERNATIVE = re.compile(r"(?:!0:\.section \.altinstructions.*?\.previous)+$")
_ASM = {"asm", "__asm", "__asm__"}
_QUALIFIERS = {"volatile", "__volatile", "__volatile__", "inline", "__inline", "__inline__", "goto"}


@dataclass(frozen=True, slots=True)
class Lookalike:
    """The target that stands in, its own macros to forget, and those of the architecture.

    assembly  that is known (archs/common.yaml): its text, and the same in C
    """

    target: str
    undefine: tuple[str, ...]
    define: tuple[str, ...]
    assembly: tuple[tuple[str, str], ...] = ()

    def flags(self) -> list[str]:
        """What clang is told: the target, and the macros."""
        return [
            f"--target={self.target}",
            *(f"-U{name}" for name in self.undefine),
            *(f"-D{name}" for name in self.define),
        ]

    def compiler(self) -> list[str]:
        """The command of this file: the compiler with its flags, and files, come behind it."""
        return [sys.executable, str(Path(__file__).resolve()), json.dumps(dict(self.assembly))]


def filtered(words: Sequence[str]) -> list[str]:
    """A command's words without those that only the architecture's own compiler knows."""
    return [
        word
        for before, word in zip(["", *words], words, strict=False)
        if before != "-G" and not _NOT_FOR_US.match(word)
    ]


def write_compiler(path: Path, clang: str, lookalike: Lookalike) -> None:
    """A compiler for kbuild, as a shell script.

    It asks clang itself, except for files of C, whose assembly is taken out first.
    """
    flags = shlex.join([clang, *lookalike.flags(), "-Wno-everything", "-Qunused-arguments"])
    inner = shlex.join([*lookalike.compiler(), clang, *lookalike.flags()])
    drop = (
        "-m*|-ffixed-*|-fcall-*|-Wa,*|-G*|--target*|-fsection-anchors|-Werror*|-fplugin*"
        "|-fintegrated-as|-fno-integrated-as"
    )
    path.write_text(f"""#!/bin/bash
args=(); out=; source=; next=; value=
for a in "$@"; do
  if [ "$value" ]; then value=; continue; fi
  if [ "$next" ]; then out=$a; next=; args+=("$a"); continue; fi
  case $a in
    -mcmodel=*) args+=("$a") ;;
    -G) value=1 ;;
    {drop}) ;;
    -o) next=1; args+=("$a") ;;
    *.S) source=$a; args+=("$a") ;;
    *.c) source=$a; args+=("$a") ;;
    *) args+=("$a") ;;
  esac
done
case " ${{args[*]}} " in *" -print-libgcc-file-name "*) echo /dev/null; exit ;; esac
case " ${{args[*]}} " in *" -E "*) exec {flags} "${{args[@]}}" ;; esac
case $source in
  *.S) exec {flags} -x c -c -o "$out" /dev/null ;;
  *.c) exec {inner} "${{args[@]}}" ;;
esac
exec {flags} "${{args[@]}}"
""", encoding="utf-8")
    path.chmod(0o755)


def strip_asm(text: str, known: Mapping[str, str]) -> str:
    """Preprocessed C without assembly, line for line.

    A statement that is known becomes its C. Of any other, outputs are given whatever ANYTHING
    points to, labels may be jumped to, and what else it may do is EFFECT; names of registers and of
    symbols are dropped. Assembly with no text (a compiler barrier) goes. What kbuild reads out of
    the compiler's output (offsets of structures) stays.
    """
    tokens = _TOKEN.findall(text)
    out: list[str] = [
        f"extern void *{ANYTHING}(void); extern void {EFFECT}(void); extern int {JUMP}(void);"
        f" {patched.DECLARED}\n"
    ]
    before = ";"  # the last token that means something
    depth, register = 0, None  # of braces; where a variable of a register starts
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token not in _ASM:
            if not token.isspace():
                before = token
            depth += (token == "{") - (token == "}")
            if token in ("register", ";"):
                register = len(out) if token == "register" else None
            out.append(token)
            at += 1
            continue
        end, words, parts = _parts(tokens, at + 1)
        whole = "".join(tokens[at:end])
        if ".ascii" in whole and "->" in whole:
            out.append(whole)
        elif depth == 0 or (
            len(parts) == 1 and not words and (before == ")" or re.match(r"\w|\*", before))
        ):
            if depth == 0 and register is not None and len(parts) == 1:
                out[register] = "extern"  # a register for the whole file: a variable of somebody's
        else:
            out.append(_statement(parts, bool(words & {"goto"}), before, known))
        out.append("\n" * whole.count("\n") if ".ascii" not in whole else "")
        at = end
    return "".join(out)


def _parts(tokens: list[str], at: int) -> tuple[int, set[str], list[list[str]]]:
    """Where an asm ends, its qualifiers, and what stands between its colons."""
    words: set[str] = set()
    while at < len(tokens) and tokens[at] != "(":
        if not tokens[at].isspace():
            words.add(tokens[at].strip("_"))
        at += 1
    depth, parts = 0, [list[str]()]
    while at < len(tokens):
        token = tokens[at]
        depth += (token in "([{") - (token in ")]}") if len(token) == 1 else 0
        at += 1
        if depth == 0:
            break
        if token == ":" and depth == 1:
            parts.append([])
        elif not (token == "(" and depth == 1 and not parts[-1] and len(parts) == 1):
            parts[-1].append(token)
    return at, words & {q.strip("_") for q in _QUALIFIERS}, parts


def _statement(
    parts: list[list[str]], jumps: bool, before: str, assembly: Mapping[str, str]
) -> str:
    """C that stands for a statement of assembly."""
    template = "".join(t[1:-1] for t in parts[0] if t.startswith('"')).strip()
    outputs = _split(parts[1]) if len(parts) > 1 else []
    if not template and not outputs:
        return "do { } while (0)" if before in ("{", "}", ";", ")", ":") else ""
    known = assembly.get(
        " ".join(
            _ALTERNATIVE.sub(" !ALTERNATIVE", template)
            .replace("\\n", " ")
            .replace("\\t", " ")
            .split()
        )
    )
    if known is not None and not jumps:
        operands = [_target(o) for part in parts[1:3] for o in _split(part)]
        return "do { " + re.sub(r"%(\d)", lambda m: operands[int(m[1])], known) + " } while (0)"
    if not jumps:
        pairs = [
            (_constraint(o), " ".join(_target(o).split()))
            for part in parts[1:3]
            for o in _split(part)
        ]
        code = patched.interpreted(template, pairs, len(outputs))
        if code is not None:
            return f"do {code} while (0)"
    told = [
        f"{target} = *(__typeof__({target}) *){ANYTHING}();"
        for target in (_target(o) for o in outputs)
        if target
    ]
    labels = _split(parts[4]) if jumps and len(parts) > 4 else []
    told += [f"if ({JUMP}()) goto {''.join(label).strip()};" for label in labels]
    body = " ".join([f"{EFFECT}();", *told]) if template else " ".join(told)
    return f"do {{ {body} }} while (0)"


def _split(part: list[str]) -> list[list[str]]:
    """The operands of a part: what stands between its commas."""
    found: list[list[str]] = [[]]
    depth = 0
    for token in part:
        depth += (token in "([{") - (token in ")]}") if len(token) == 1 else 0
        if token == "," and depth == 0:
            found.append([])
        else:
            found[-1].append(token)
    return [f for f in found if "".join(f).strip()]


def _constraint(operand: list[str]) -> str:
    """The constraint of an operand, without its quotes."""
    return "".join(
        t[1:-1]
        for t in operand[: next((n for n, t in enumerate(operand) if t == "("), len(operand))]
        if t.startswith('"')
    )


def _target(operand: list[str]) -> str:
    """What an output writes: the C between its parentheses.

    A cast there, which GCC takes, is left out.
    """
    text = "".join(operand)
    inner = text[text.index("(") + 1:text.rindex(")")].strip() if "(" in text else ""
    cast = re.match(r"\(\s*\(?[\w ]+\*?\s*\)\s*(?=[(\w])", inner)
    return (
        inner[cast.end() :]
        if cast and "*" in cast[0] and not inner.startswith("(*")
        else f"({inner})" if inner else ""
    )


def main(arguments: Sequence[str]) -> int:
    """Preprocess, take assembly out, compile.

    The arguments are the assembly that is known, as JSON; clang and its first flags; then kbuild's.
    """
    known, *arguments = arguments
    source = next(a for a in arguments if a.endswith(".c"))
    kept = [a for a in arguments if a != source]
    out = kept.index("-o") if "-o" in kept else None
    first = kept if out is None else [*kept[:out], *kept[out + 2:]]
    first = [a for a in first if a not in ("-c", "-S", "-emit-llvm")]
    done = subprocess.run(
        [*first, "-Wno-everything", "-E", source],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stderr)
        return done.returncode
    rest = [
        a
        for a in kept
        if not a.startswith(("-I", "-D", "-U", "-M", "-include", "-Wp,")) and not a.endswith(".h")
    ]
    for name in ("-isystem", "-I", "-include"):
        while name in rest:
            at = rest.index(name)
            del rest[at:at + 2]
    command = [rest[0], "-Wno-everything", "-Qunused-arguments", *rest[1:], "-x", "cpp-output", "-"]
    text = strip_asm(done.stdout, json.loads(known))
    code = subprocess.run(command, input=text, text=True, check=False).returncode
    if code < 0:  # whoever runs us hears of the signal
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
