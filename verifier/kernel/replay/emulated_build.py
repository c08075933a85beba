# SPDX-License-Identifier: GPL-2.0-or-later
"""A program of an architecture's own compiler that runs helpers: built from the configured headers,
with their assembly, for qemu-user.

What the code names and the build has not got is put in its place: functions that return 0, and
globals of zeros, but for those that a variant's features and axioms set. Which compiler, with which
flags, and which emulator is data: `emulated` of archs/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.kernel.conform.helpers import LiftedBuild
from verifier.kernel.tree.build import Emulated, constant_name
from verifier.kernel.tree.build_store import cache_folder, entry
from verifier.kernel.tree.compiler import Configured, read_by_compiler, run_in
from verifier.kernel.tree.shapes import HEAD, PREFIX, Shape, outside
from verifier.kernel.tree.toolchain import first_error, run, stamp

__all__ = ["EmulatedProgram", "emulated_program"]

_KEPT = re.compile(
    r"-I|-D(?!__KBUILD)|-std=|-O|-nostdinc$"
    r"|-f(short-wchar|unsigned-char|no-common|no-strict-aliasing|no-strict-overflow|wrapv"
    r"|ffreestanding|freestanding)"
)
_ALWAYS = (
    "-w",
    "-Werror=implicit-function-declaration",
    "-Werror=implicit-int",
    "-Werror=int-conversion",
    "-Werror=incompatible-pointer-types",
    "-fno-pic",
    "-fno-PIE",
    "-fno-stack-protector",
    "-fno-delete-null-pointer-checks",
    "-fno-builtin",
    '-DKBUILD_MODFILE="x"',
    '-DKBUILD_BASENAME="x"',
    '-DKBUILD_MODNAME="x"',
    "-D__KBUILD_MODNAME=kmod_x",
)
_ROOM = 1 << 16  # bytes of a global that the build has not got
ROUNDS = 8  # of leaving out wrappers that do not compile
_HEAD = HEAD + """\
extern char pteproof_room[][1 << 17];
static inline struct vm_area_struct *pteproof_vma(int n)
{
  struct vm_area_struct *vma = (void *)pteproof_room[n];
  vma->vm_mm = (void *)(pteproof_room[n] + (1 << 16));
  return vma;
}
"""


@dataclass(frozen=True, slots=True)
class EmulatedProgram:
    """A program that runs helpers: the command, and the numbers of the helpers that it has.

    It reads lines of words in hex, a helper's number and its arguments, and answers each with the
    result and the arguments as they are then, with `outside` (of a premise), or with `trap`.
    """

    command: tuple[str, ...]
    runs: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What a program is built from.

    source    C of the wrappers, and `lines`: line -> number of the helper that stands there
    runner    C of main()
    settings  global -> offset -> byte that it has
    data      names of globals, and `lifted`: those of functions that are lifted
    """

    configured: Configured
    emulated: Emulated
    source: str
    lines: Mapping[int, str]
    runner: str
    settings: Mapping[str, Mapping[int, int]]
    data: frozenset[str]
    lifted: frozenset[str]

    def rests_on(self) -> list[object]:
        """All that the program depends on, for its name in the store of builds."""
        e, c = self.emulated, self.configured
        return [
            c.rests_on,
            c.build,
            self.source,
            self.runner,
            self.settings,
            self.data,
            self.lifted,
            stamp(e.compiler),
            stamp(_objcopy(e)),
            stamp(e.emulator[0]),
        ]


def emulated_program(
    configured: Configured,
    library: LiftedBuild,
    emulated: Emulated,
    shapes: Sequence[Shape],
    features: Mapping[str, bool],
    cache: Path | None = None,
) -> EmulatedProgram:
    """The program for these helpers, numbered in their order.

    ExtractionError where it cannot be built.

    `features`: what a variant's features are in the lifted code (`known_features`).
    """
    settings = _settings(library, features)
    source, lines = _source(library, shapes)
    runner = Path(__file__).with_name("emulated_runner.c").read_text(encoding="utf-8")
    modules = library.program.modules
    data = frozenset({*settings, *(name for module in modules for name in module.globals)})
    lifted = frozenset(name for module in modules for name in module.texts)
    recipe = _Recipe(configured, emulated, source, lines, runner, settings, data, lifted)
    folder = entry(
        cache or cache_folder(),
        f"{configured.key}-emulated",
        recipe.rests_on(),
        lambda part: _build(recipe, part),
        configured.origin,
    )
    runs = (folder / "runs.txt").read_text(encoding="utf-8").split()
    return EmulatedProgram((*emulated.emulator, str(folder / "helpers")), frozenset(runs))


def _source(library: LiftedBuild, shapes: Sequence[Shape]) -> tuple[str, dict[int, str]]:
    """C of wrappers, each with a function that takes its words from an array; and which helper
    stands on which line.
    """
    rows, lines = [*_HEAD.splitlines(), *library.build.statics], {}
    for constant in dict.fromkeys(constant for constant, *_ in library.build.clears.values()):
        cleared = (
            "for (int n = 0; n < 8; n++) *(pte_t *)pteproof_room[n] = __pte(pte_val(*(pte_t"
            f" *)pteproof_room[n]) & ~({constant}));"
        )
        rows.append(f"void {PREFIX}clear_{constant_name(constant)}(void) {{ {cleared} }}")
    for number, shape in enumerate(shapes):
        rows.append(
            f"{shape.text(library.build.premises_of(shape.helper))} {_from_words(shape, number)}"
        )
        lines[len(rows)] = str(number)
    return "\n".join(rows) + "\n", lines


def _from_words(shape: Shape, number: int) -> str:
    """Words in, words out; entries by value, as the kernel's own macros make them of a word."""
    before, args, after = [], [], []
    for n, parameter in enumerate(shape.parameters()):
        level = parameter.declared[:3]
        place = f"(({parameter.declared})pteproof_room[{n}])"
        if parameter.role == "entry":
            before.append(f"*{place} = __{level}(a[{n}]);")
            after.append(f"a[{n}] = {level}_val(*{place});")
            args.append(place)
        elif parameter.role == "free":
            args.append(
                "0"
                if "*" not in parameter.declared
                else f"pteproof_vma({n})" if "vm_area" in parameter.declared else place
            )
        else:
            args.append(f"({parameter.declared})a[{n}]")
    before.insert(
        0, f"__typeof__(&{shape.wrapper}) volatile called = {shape.wrapper};"
    )  # compiled by itself, as the kernel would
    call = f"called({', '.join(args)});"
    kept = call if shape.returns == "void" else f"*result = {call}"
    return (
        f"void {PREFIX}run_{number}(unsigned long long *a, unsigned long long *result) {{"
        f" {' '.join([*before, kept, *after])} }}"
    )


def _settings(library: LiftedBuild, features: Mapping[str, bool]) -> dict[str, dict[int, int]]:
    """Globals that features and axioms set: name -> offset -> byte."""
    found: dict[str, dict[int, int]] = {}

    def put(name: str, offset: int, value: int, size: int) -> None:
        for at, byte in enumerate(
            value.to_bytes(size, "big" if library.main.layout.big_endian else "little")
        ):
            found.setdefault(name, {})[offset + at] = found.get(name, {}).get(offset + at, 0) | byte

    for axiom in library.build.axioms:
        match = re.fullmatch(r"@(\w+)\[(\d+)\]", axiom.word)
        if match:
            put(match[1], int(match[2]), axiom.value, axiom.bits // 8)
    for name, value in features.items():
        bit = re.fullmatch(r"@(\w+)\[bit (\d+)\]", name)
        if bit and value:
            put(bit[1], int(bit[2]) // 64 * 8, 1 << int(bit[2]) % 64, 8)
        elif name.startswith("@") and "[" not in name:
            put(name[1:], 0, int(value), 1)
    return found


def _build(recipe: _Recipe, part: Path) -> set[Path]:
    """Compile and link the program in a folder. Returns the files that the compiler read."""
    runs = _compile(recipe, part)
    objects = [str(part / "wrappers.o"), *_sources(recipe, part)]
    kind = "(unsigned long long *, unsigned long long *)"
    table = "".join(f"extern void {PREFIX}run_{n}{kind};\n" for n in runs)
    table += (
        f"void (*const {PREFIX}runs[]){kind} = {{"
        f" {', '.join(f'[{n}] = {PREFIX}run_{n}' for n in runs)} }};\n"
    )
    for name, text in (
        ("runner", recipe.runner),
        ("table", table),
        ("settings", _set(recipe.settings)),
    ):
        (part / f"{name}.c").write_text(text, encoding="utf-8")
    _link(recipe, part, objects)
    (part / "runs.txt").write_text("\n".join(runs), encoding="utf-8")
    for path in part.glob("*.o"):
        path.unlink()
    return read_by_compiler(part)


def _link(recipe: _Recipe, part: Path, objects: Sequence[str]) -> None:
    """Link, and again with what was missing put in its place."""
    emulated, build = recipe.emulated, recipe.configured.build
    link = [
        emulated.compiler,
        "-w",
        "-O1",
        "-fno-builtin",
        "-no-pie",
        "-Wl,--gc-sections",
        *_library(emulated),
        *emulated.link,
        *(f"-Wl,--defsym={name}={value:#x}" for name, (value, _) in build.addresses().items()),
        "-o",
        str(part / "helpers"),
        *(str(part / f"{name}.c") for name in ("runner", "table", "settings")),
        *objects,
    ]
    missing: set[str] = set()
    for _ in range(3):
        (part / "missing.c").write_text(_missing(recipe, missing), encoding="utf-8")
        done = run([*link, str(part / "missing.c"), *(["-lgcc"] if emulated.syscall else [])], part)
        if done.returncode == 0:
            return
        found = set(re.findall(r"undefined reference to [`'](\w+)'", done.stderr)) - missing
        if not found:
            break
        missing |= found
    raise ExtractionError(f"linking {build.name}: {first_error(done.stderr)}")


def _objcopy(emulated: Emulated) -> str:
    return emulated.compiler.removesuffix("gcc") + "objcopy"


def _library(emulated: Emulated) -> list[str]:
    """What the linker is told of the C library: nothing, or that there is none."""
    return (
        ["-static", "-nostdlib", f"-DSYSCALL={' '.join(emulated.syscall.split())}"]
        if emulated.syscall
        else []
    )


def _command(configured: Configured, emulated: Emulated) -> list[str]:
    """The compiler with those of kbuild's options that every compiler has."""
    given = configured.build.lookalike.flags() if configured.build.lookalike else []
    kept, words = [], [w for w in configured.command[1:] if w not in given]
    for before, word in zip(["", *words], words, strict=False):
        if (
            before in ("-include", "-isystem", "-I")
            or word in ("-include", "-isystem", "-I")
            or _KEPT.match(word)
        ):
            kept.append(word)
    return [emulated.compiler, *kept, *_ALWAYS, *emulated.flags]


def _compile(recipe: _Recipe, part: Path) -> list[str]:
    """Compile the wrappers, leaving out lines that this compiler does not take.

    Returns the numbers of those that stay.
    """
    configured, emulated = recipe.configured, recipe.emulated
    source, rows, kept = part / "wrappers.c", recipe.source.splitlines(), dict(recipe.lines)
    for _ in range(ROUNDS):
        source.write_text("\n".join(rows) + "\n", encoding="utf-8")
        done = run_in(
            configured,
            [
                *_command(configured, emulated),
                "-MD",
                "-c",
                "-o",
                str(part / "wrappers.o"),
                str(source),
            ],
            part,
        )
        if done.returncode == 0:
            return list(kept.values())
        failed = {
            int(n)
            for n in re.findall(
                rf"{re.escape(str(source))}:(\d+):\d+: (?:error|note: in expansion)", done.stderr
            )
        }
        if not failed & kept.keys():
            raise ExtractionError(
                f"a header does not compile by {emulated.compiler}: {first_error(done.stderr)}"
            )
        for number in failed & kept.keys():
            rows[number - 1] = ""
            del kept[number]
    raise ExtractionError(f"the wrappers do not compile by {emulated.compiler}")


def _sources(recipe: _Recipe, part: Path) -> Iterator[str]:
    """The build's sources, as objects. What nobody calls is left out of them."""
    configured, emulated = recipe.configured, recipe.emulated
    for name in configured.build.sources:
        path = configured.tree.path / name
        target = part / f"{name.replace('/', '_')}.o"
        if path.is_file() and path.suffix == ".c":
            options = [
                "-ffunction-sections",
                "-fdata-sections",
                "-MD",
                "-c",
                "-o",
                str(target),
                str(path),
            ]
            done = run_in(configured, [*_command(configured, emulated), *options], part)
            if done.returncode == 0:  # else what it has is missing
                named = [f"--globalize-symbol={name}" for name in recipe.settings]
                run([_objcopy(emulated), *named, str(target)], part, f"reading {name}")
                yield str(target)


def _missing(recipe: _Recipe, names: set[str]) -> str:
    """C for what is not defined: zeros for data, and functions that return 0.

    A function that is lifted counts, so one that is not here leaves the helper.
    """
    build = recipe.configured.build
    rows = ["void pteproof_leave(void);"]
    leaving = {*recipe.lifted, *build.out_of_scope, *(outside(p.name) for p in build.premises)}
    for name in sorted(names):
        if name in build.clears:
            clear = f"{PREFIX}clear_{constant_name(build.clears[name][0])}"
            rows.append(f"void {clear}(void); long {name}(void) {{ {clear}(); return 0; }}")
        elif name in leaving:
            rows.append(f"void {name}(void) {{ pteproof_leave(); }}")
        elif name in recipe.data:
            rows.append(f"unsigned char {name}[{_ROOM}] __attribute__((aligned(4096)));")
        else:
            rows.append(f"long {name}(void) {{ return 0; }}")
    return "\n".join(rows) + "\n"


def _set(settings: Mapping[str, Mapping[int, int]]) -> str:
    """C that sets globals."""
    rows = [f"extern volatile unsigned char {name}[];" for name in settings]
    told = [
        f"{name}[{at}] = {byte:#x};"
        for name, bytes_ in settings.items()
        for at, byte in sorted(bytes_.items())
    ]
    return "\n".join([*rows, f"void pteproof_set(void) {{ {' '.join(told)} }}"]) + "\n"
