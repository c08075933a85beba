# SPDX-License-Identifier: GPL-2.0-or-later
"""Helpers as the architecture's own compiler makes them, with their assembly, run by qemu-user beside arch/.

The second look at what is lifted, above all at look-alikes: nothing here goes through clang, its intermediate representation
or the lifter. The configured headers are compiled by gcc; what the code names and the build has not got is put in its place:
functions that return 0, and globals of zeros, but for those that a variant's features and axioms set. Which compiler, with
which flags, and which emulator is data: `emulated` of archs/.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier.base.errors import ExtractionError
from verifier.kernel.conform.helpers import Library, known_features
from verifier.kernel.conform.model_side import Pairing, evaluate_model, pair
from verifier.kernel.llvm.values import Incomplete
from verifier.kernel.replay.values import point_values
from verifier.kernel.tree.build_store import cache_folder, entry
from verifier.kernel.tree.builds import Emulated, constant_name
from verifier.kernel.tree.compile import Configured, read_by_compiler, run_in
from verifier.kernel.tree.shapes import HEAD, PREFIX, Shape, outside
from verifier.kernel.tree.toolchain import clean_environment, first_error, jailed, run, stamp
from verifier.language.algebra import Integers
from verifier.language.syntax import BOOL, NOTHING
from verifier.model.arch import Layout

__all__ = ["Against", "Disagreement", "compare_emulated", "missing_packages", "unpatched"]

_KEPT = re.compile(
    r"-I|-D(?!__KBUILD)|-std=|-O|-nostdinc$|-f(short-wchar|unsigned-char|no-common|no-strict-aliasing|no-strict-overflow|wrapv|ffreestanding"
    r"|freestanding)"
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
_HEAD = (
    HEAD
    + """\
extern char pteproof_room[][1 << 17];
static inline struct vm_area_struct *pteproof_vma(int n) { struct vm_area_struct *vma = (void *)pteproof_room[n]; vma->vm_mm = (void *)(pteproof_room[n] + (1 << 16)); return vma; }
"""
)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """What the machine did where arch/ says something else: words by the wrapper's parameter, and `result`."""

    helper: str
    args: Mapping[str, int]
    model: Mapping[str, int]
    machine: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Against:
    """How many points were compared for how many helpers; `skipped`: outside of a premise, or a trap; `left`: helpers without a point, and why."""

    helpers: int
    points: int
    skipped: int
    left: tuple[tuple[str, str], ...]
    disagreements: tuple[Disagreement, ...]


def missing_packages(emulated: Emulated) -> tuple[str, ...]:
    """Debian's packages, if the compiler, its C library or the emulator are not here."""
    here = (
        shutil.which(emulated.compiler)
        and shutil.which(emulated.emulator[0])
        and all(Path(p).is_dir() for p in emulated.emulator[1:] if p.startswith("/"))
    )
    return () if here else emulated.packages


def unpatched(library: Library, layout: Layout) -> str:
    """Why the code as it is compiled is not the variant's: it is patched at boot where the CPU has what the variant says. Empty: it is."""
    for name, feature in library.build.features.items():
        patched = feature.name is not None or feature.keys is not None or (feature.global_ or "").startswith(PREFIX)
        if patched and layout.variant.features.get(name):
            return f"its code is patched at boot for {name}"
    return ""


def compare_emulated(
    configured: Configured, library: Library, layout: Layout, count: int = 100, seed: int = 1, cache: Path | None = None
) -> Against:
    """Each helper of the variant that gcc compiles, on `count` points, against arch/. ExtractionError where it cannot be built or run."""
    emulated = library.build.emulated
    if why := unpatched(library, layout):
        raise ExtractionError(f"{layout.variant.name} cannot be run: {why}")
    if emulated is None or missing_packages(emulated):
        raise ExtractionError(
            f"{library.build.name} cannot be run" + (f": apt install {' '.join(emulated.packages)}" if emulated else "")
        )
    shapes = [s for h, s in library.shapes.items() if h in layout.helpers() and h not in library.build.boot]
    settings = _settings(library, known_features(library, layout.variant.features))
    source, lines = _source(library, shapes)
    runner = Path(__file__).with_name("emulated_runner.c").read_text(encoding="utf-8")
    data = frozenset({*settings, *(name for module in library.program.modules for name in module.globals)})
    lifted = frozenset(name for module in library.program.modules for name in module.texts)
    rests_on = [configured.rests_on, configured.build, source, runner, settings, data, lifted,
                stamp(emulated.compiler), stamp(_objcopy(emulated)), stamp(emulated.emulator[0])]
    folder = entry(
        cache or cache_folder(),
        f"{configured.key}-emulated",
        rests_on,
        lambda part: _build(configured, emulated, source, lines, runner, settings, data, lifted, part),
        configured.origin,
    )
    return _compared(
        library,
        layout,
        shapes,
        [*emulated.emulator, str(folder / "helpers")],
        (folder / "runs.txt").read_text(encoding="utf-8").split(),
        count,
        seed,
    )


def _source(library: Library, shapes: Sequence[Shape]) -> tuple[str, dict[int, str]]:
    """C of wrappers, each with a function that takes its words from an array; and which helper stands on which line."""
    rows, lines = [*_HEAD.splitlines(), *library.build.statics], {}
    for constant in dict.fromkeys(constant for constant, *_ in library.build.clears.values()):
        cleared = f"for (int n = 0; n < 8; n++) *(pte_t *)pteproof_room[n] = __pte(pte_val(*(pte_t *)pteproof_room[n]) & ~({constant}));"
        rows.append(f"void {PREFIX}clear_{constant_name(constant)}(void) {{ {cleared} }}")
    for number, shape in enumerate(shapes):
        rows.append(f"{shape.text(library.build.premises_of(shape.helper))} {_from_words(shape, number)}")
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
                "0" if "*" not in parameter.declared else f"pteproof_vma({n})" if "vm_area" in parameter.declared else place
            )
        else:
            args.append(f"({parameter.declared})a[{n}]")
    before.insert(
        0, f"__typeof__(&{shape.wrapper}) volatile called = {shape.wrapper};"
    )  # compiled by itself, as the kernel would
    call = f"called({', '.join(args)});"
    kept = call if shape.returns == "void" else f"*result = {call}"
    return f"void {PREFIX}run_{number}(unsigned long long *a, unsigned long long *result) {{ {' '.join([*before, kept, *after])} }}"


def _settings(library: Library, features: Mapping[str, bool]) -> dict[str, dict[int, int]]:
    """Globals that features and axioms set: name -> offset -> byte."""
    found: dict[str, dict[int, int]] = {}

    def put(name: str, offset: int, value: int, size: int) -> None:
        for at, byte in enumerate(value.to_bytes(size, "big" if library.main.layout.big_endian else "little")):
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


def _build(
    configured: Configured,
    emulated: Emulated,
    source: str,
    lines: Mapping[int, str],
    runner: str,
    settings: Mapping[str, Mapping[int, int]],
    data: frozenset[str],
    lifted: frozenset[str],
    part: Path,
) -> set[Path]:
    runs = _compile(configured, emulated, source, lines, part)
    objects = [str(part / "wrappers.o"), *_sources(configured, emulated, settings, part)]
    (part / "runner.c").write_text(runner, encoding="utf-8")
    table = "".join(f"extern void {PREFIX}run_{n}(unsigned long long *, unsigned long long *);\n" for n in runs)
    table += f"void (*const {PREFIX}runs[])(unsigned long long *, unsigned long long *) = {{ {', '.join(f'[{n}] = {PREFIX}run_{n}' for n in runs)} }};\n"
    (part / "table.c").write_text(table, encoding="utf-8")
    (part / "settings.c").write_text(_set(settings), encoding="utf-8")
    link = [
        emulated.compiler,
        "-w",
        "-O1",
        "-fno-builtin",
        "-no-pie",
        "-Wl,--gc-sections",
        *_library(emulated),
        *emulated.link,
        *(f"-Wl,--defsym={name}={value:#x}" for name, (value, _) in configured.build.addresses().items()),
        "-o",
        str(part / "helpers"),
        *(str(part / f"{name}.c") for name in ("runner", "table", "settings")),
        *objects,
    ]
    missing: set[str] = set()
    for _ in range(3):
        (part / "missing.c").write_text(_missing(configured, missing, data, lifted), encoding="utf-8")
        done = run([*link, str(part / "missing.c"), *(["-lgcc"] if emulated.syscall else [])], part)
        if done.returncode == 0:
            break
        found = set(re.findall(r"undefined reference to [`'](\w+)'", done.stderr)) - missing
        if not found:
            raise ExtractionError(f"linking {configured.build.name}: {first_error(done.stderr)}")
        missing |= found
    else:
        raise ExtractionError(f"linking {configured.build.name}: {first_error(done.stderr)}")
    (part / "runs.txt").write_text("\n".join(runs), encoding="utf-8")
    for path in part.glob("*.o"):
        path.unlink()
    return read_by_compiler(part)


def _objcopy(emulated: Emulated) -> str:
    return emulated.compiler.removesuffix("gcc") + "objcopy"


def _library(emulated: Emulated) -> list[str]:
    """What the linker is told of the C library: nothing, or that there is none."""
    return ["-static", "-nostdlib", f"-DSYSCALL={' '.join(emulated.syscall.split())}"] if emulated.syscall else []


def _command(configured: Configured, emulated: Emulated) -> list[str]:
    """The compiler with those of kbuild's options that every compiler has."""
    given = configured.build.lookalike.flags() if configured.build.lookalike else []
    kept, words = [], [w for w in configured.command[1:] if w not in given]
    for before, word in zip(["", *words], words, strict=False):
        if before in ("-include", "-isystem", "-I") or word in ("-include", "-isystem", "-I") or _KEPT.match(word):
            kept.append(word)
    return [emulated.compiler, *kept, *_ALWAYS, *emulated.flags]


def _compile(configured: Configured, emulated: Emulated, text: str, lines: Mapping[int, str], part: Path) -> list[str]:
    """Compile the wrappers, leaving out lines that this compiler does not take. Returns the numbers of those that stay."""
    source, rows, kept = part / "wrappers.c", text.splitlines(), dict(lines)
    for _ in range(ROUNDS):
        source.write_text("\n".join(rows) + "\n", encoding="utf-8")
        done = run_in(
            configured, [*_command(configured, emulated), "-MD", "-c", "-o", str(part / "wrappers.o"), str(source)], part
        )
        if done.returncode == 0:
            return list(kept.values())
        failed = {int(n) for n in re.findall(rf"{re.escape(str(source))}:(\d+):\d+: (?:error|note: in expansion)", done.stderr)}
        if not failed & kept.keys():
            raise ExtractionError(f"a header does not compile by {emulated.compiler}: {first_error(done.stderr)}")
        for number in failed & kept.keys():
            rows[number - 1] = ""
            del kept[number]
    raise ExtractionError(f"the wrappers do not compile by {emulated.compiler}")


def _sources(configured: Configured, emulated: Emulated, settings: Mapping[str, object], part: Path) -> Iterator[str]:
    """The build's sources, as objects. What calls nobody is left out of them."""
    for name in configured.build.sources:
        path = configured.tree.path / name
        target = part / f"{name.replace('/', '_')}.o"
        if path.is_file() and path.suffix == ".c":
            done = run_in(
                configured,
                [
                    *_command(configured, emulated),
                    "-ffunction-sections",
                    "-fdata-sections",
                    "-MD",
                    "-c",
                    "-o",
                    str(target),
                    str(path),
                ],
                part,
            )
            if done.returncode == 0:  # else what it has is missing
                named = [f"--globalize-symbol={name}" for name in settings]
                run([_objcopy(emulated), *named, str(target)], part, f"reading {name}")
                yield str(target)


def _missing(configured: Configured, names: set[str], data: frozenset[str], lifted: frozenset[str]) -> str:
    """C for what is not defined: zeros for `data`, and functions that return 0; one that is lifted, and so counts, leaves the helper."""
    rows = ["void pteproof_leave(void);"]
    leaving = {*lifted, *configured.build.out_of_scope, *(outside(p.name) for p in configured.build.premises)}
    for name in sorted(names):
        if name in configured.build.clears:
            clear = f"{PREFIX}clear_{constant_name(configured.build.clears[name][0])}"
            rows.append(f"void {clear}(void); long {name}(void) {{ {clear}(); return 0; }}")
        elif name in leaving:
            rows.append(f"void {name}(void) {{ pteproof_leave(); }}")
        elif name in data:
            rows.append(f"unsigned char {name}[{_ROOM}] __attribute__((aligned(4096)));")
        else:
            rows.append(f"long {name}(void) {{ return 0; }}")
    return "\n".join(rows) + "\n"


def _set(settings: Mapping[str, Mapping[int, int]]) -> str:
    """C that sets globals."""
    rows = [f"extern volatile unsigned char {name}[];" for name in settings]
    told = [f"{name}[{at}] = {byte:#x};" for name, bytes_ in settings.items() for at, byte in sorted(bytes_.items())]
    return "\n".join([*rows, f"void pteproof_set(void) {{ {' '.join(told)} }}"]) + "\n"


def _compared(
    library: Library,
    layout: Layout,
    shapes: Sequence[Shape],
    command: Sequence[str],
    runs: Sequence[str],
    count: int,
    seed: int,
) -> Against:
    """Every helper on its points: first what arch/ says, then what the machine did, all in one process."""
    asked: list[tuple[Shape, list[Pairing], dict[str, int]]] = []
    left = []
    present = set(runs)
    for number, shape in enumerate(shapes):
        try:
            pairs = pair(library, shape, layout.helper(shape.helper))
        except Incomplete as error:
            left.append((shape.helper, str(error)))
            continue
        if str(number) not in present:
            left.append((shape.helper, "this compiler does not take it"))
            continue
        asked += [(shape, pairs, dict(args)) for args in point_values(library, shape, count, seed)]
    numbers = {shape.helper: number for number, shape in enumerate(shapes)}
    text = "".join(
        f"{numbers[shape.helper]:x} {' '.join(f'{args.get(p.name, 0):x}' for p in shape.parameters())}".rstrip() + "\n"
        for shape, _, args in asked
    )
    answers = _answers(command, text.splitlines())
    compared: dict[str, int] = {}
    disagreements = []
    for (shape, pairs, args), answer in zip(asked, answers, strict=True):
        if answer in ("outside", "trap"):
            continue
        compared[shape.helper] = compared.get(shape.helper, 0) + 1
        model, machine = _both(library, layout, shape, pairs, args, [int(w, 16) for w in answer.split()])
        if model != machine:
            disagreements.append(Disagreement(shape.helper, args, model, machine))
    total = sum(compared.values())
    left += [
        (shape.helper, "no point: outside of a premise, or a trap")
        for shape in shapes
        if shape.helper not in compared and shape.helper not in dict(left)
    ]
    return Against(len(compared), total, len(asked) - total, tuple(left), tuple(disagreements))


def _answers(command: Sequence[str], lines: Sequence[str]) -> list[str]:
    """One answer for each line. Where the program ends early, what it was at traps, and so do the helper's other points."""
    found: list[str] = []
    words = jailed(command, None, [Path(command[-1]).parent])[1]
    while len(found) < len(lines):
        done = subprocess.run(
            words,
            input="\n".join(lines[len(found) :]) + "\n",
            capture_output=True,
            text=True,
            check=False,
            env=clean_environment(),
        )
        found += done.stdout.splitlines()
        helper = lines[len(found)].split()[0] if len(found) < len(lines) else ""
        while len(found) < len(lines) and lines[len(found)].split()[0] == helper:
            found.append("trap")
    if set(found) == {"trap"}:
        raise ExtractionError(f"nothing runs: {done.stderr.strip()[:300]}")
    return found


def _both(
    library: Library, layout: Layout, shape: Shape, pairs: list[Pairing], args: Mapping[str, int], words: Sequence[int],
) -> tuple[dict[str, int], dict[str, int]]:
    """What arch/ gives for these arguments, and the machine's words, as far as both have them."""
    given = {p.wrapper: args[p.wrapper] if p.width else bool(args[p.wrapper]) for p in pairs}
    found = evaluate_model(Integers(), layout.helper(shape.helper), pairs, given)
    result, *after = words
    model = {name: int(value) for name, value in found.entries.items()}
    places = {p.name: n for n, p in enumerate(shape.parameters())}
    machine = {name: after[places[name]] for name in found.entries}
    if shape.returns != "void" and found.result is not None and found.width != NOTHING:
        model["result"] = int(found.result)
        machine["result"] = int(bool(result)) if found.width == BOOL else result & ((1 << found.width) - 1)
    return model, machine
