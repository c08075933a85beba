# SPDX-License-Identifier: GPL-2.0-or-later
"""How the kernel's helpers are called, and the wrappers in C that call them with words in and a
word out.

The words of `shapes.yaml`:

    pte pmd pud prot swp    the kernel's types of one word: pte_t, pgprot_t, swp_entry_t. A pgprot_t
                            that is narrower than an entry (MIPS with two words, powerpc) has an
                            entry's width here, whose upper half C drops
    val ulong long bool     a pteval_t, an unsigned long, a long, a bool
    pfn page                a page frame number; the kernel takes it, or the page that has it
    ptep pmdp pudp          a pointer to an entry
    shadow                  a vma; the model's shadow_stack says whether it is VM_SHADOW_STACK
    pending                 an mm; the model's flush_pending says whether flushes are
    cydp                    flags; the model's young and dirty say which
    vm_rwx                  three booleans of a vma's flags, which are private
    mm vma addr             any mm, any vma, any address: the model has none
    one noflags             the constants 1 and 0
    pmd_shift pmd_size      the constants PMD_SHIFT and PMD_SIZE
    hstate                  the hstate of pages of PMD_SIZE
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from verifier.base.errors import SpecError
from verifier.language.read_yaml import Items, Source, Table, read_yaml

__all__ = ["HEAD", "PREFIX", "Parameter", "Shape", "load_shapes", "outside", "wrapper_file"]

PREFIX = "pteproof_"
_SHOWN = "verifier/kernel/tree"  # what places of errors begin with
_LEVELS = ("pte", "pmd", "pud")
_SHAPE = re.compile(r"(\w+)(\(([\w, ]*)\))?")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a wrapper.

    role   word, bool, entry (a pointer to one), or free (an object or word that the model does not
           have)
    model  the model's name of it where it has a fixed one, else None: then the order counts
    """

    name: str
    declared: str
    role: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """One way to call a helper, in C `call`: of its arguments {0}, {1}, ..."""

    helper: str
    returns: str
    kinds: tuple[str, ...]
    call: str
    number: int = 0

    @property
    def wrapper(self) -> str:
        """The name of its wrapper in C."""
        return f"{PREFIX}{self.helper}__{self.number}"

    def parameters(self) -> list[Parameter]:
        """The parameters of its wrapper, in order."""
        found = []
        for index, kind in enumerate(self.kinds):
            found += [
                Parameter(p.name.format(n=index), p.declared, p.role, p.model)
                for p in _KINDS[kind].parameters
            ]
        return found

    def text(self, premises: Mapping[str, str] | None = None) -> str:
        """The wrapper as one line of C.

        Where a premise (name -> C) does not hold, it calls what `outside` names.
        """
        before, args = (
            "".join(
                f"if (!({condition})) {outside(name)}(); "
                for name, condition in (premises or {}).items()
            ),
            [],
        )
        for index, kind in enumerate(self.kinds):
            before += _KINDS[kind].before.format(n=index)
            args.append(_KINDS[kind].argument.format(n=index))
        returned = _RETURNS[self.returns]
        call = self.call.format(*args)
        declared = ", ".join(
            f"{p.declared} {p.name}" if not p.declared.endswith("*") else f"{p.declared}{p.name}"
            for p in self.parameters()
        )
        body = f"return {returned.value.format(call)};" if returned.type != "void" else f"{call};"
        first = "".join(
            f"void {outside(name)}(void) __attribute__((noreturn)); " for name in premises or {}
        )
        return f"{first}{returned.type} {self.wrapper}({declared or 'void'}) {{ {before}{body} }}"


@dataclass(frozen=True, slots=True)
class _Kind:
    parameters: tuple[Parameter, ...]
    argument: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class _Return:
    type: str
    value: str


def _word(declared: str, argument: str, role: str = "word") -> _Kind:
    return _Kind((Parameter("a{n}", declared, role),), argument)


_MM = Parameter("mm{n}", "struct mm_struct *", "free")
_VMA = Parameter("vma{n}", "struct vm_area_struct *", "free")
_KINDS: dict[str, _Kind] = {
    "pte": _word("w_pte", "__pte(a{n})"),
    "pmd": _word("w_pmd", "__pmd(a{n})"),
    "pud": _word("w_pud", "__pud(a{n})"),
    "prot": _word("w_prot", "__pgprot(a{n})"),
    "swp": _word("unsigned long", "((swp_entry_t) {{ a{n} }})"),
    "val": _word("w_pte", "a{n}"),
    "ulong": _word("unsigned long", "a{n}"),
    "long": _word("long", "a{n}"),
    "bool": _word("_Bool", "a{n}", "bool"),
    "pfn": _word("unsigned long", "a{n}"),
    "page": _word("unsigned long", "pfn_to_page(a{n})"),
    "ptep": _word("pte_t *", "a{n}", "entry"),
    "pmdp": _word("pmd_t *", "a{n}", "entry"),
    "pudp": _word("pud_t *", "a{n}", "entry"),
    "mm": _Kind((_MM,), "mm{n}"),
    "vma": _Kind((_VMA,), "vma{n}"),
    "addr": _Kind((Parameter("addr{n}", "unsigned long", "free"),), "addr{n}"),
    "shadow": _Kind(
        (_VMA, Parameter("shadow{n}", "_Bool", "bool", "shadow_stack")),
        "vma{n}",
        "*(vm_flags_t *)&vma{n}->vm_flags = (vma{n}->vm_flags & ~(vm_flags_t)VM_SHADOW_STACK) |"
        " (shadow{n} ? VM_SHADOW_STACK : 0); ",
    ),
    "pending": _Kind(
        (_MM, Parameter("pending{n}", "_Bool", "bool", "flush_pending")),
        "mm{n}",
        "mm{n}->tlb_flush_pending.counter = pending{n}; ",
    ),
    "cydp": _Kind(
        (
            Parameter("young{n}", "_Bool", "bool", "young"),
            Parameter("dirty{n}", "_Bool", "bool", "dirty"),
        ),
        "((young{n} ? CYDP_CLEAR_YOUNG : 0) | (dirty{n} ? CYDP_CLEAR_DIRTY : 0))",
    ),
    "vm_rwx": _Kind(
        tuple(
            Parameter(f"{w}{{n}}", "_Bool", "bool", f"vm_{w}") for w in ("read", "write", "exec")
        ),
        "((read{n} ? VM_READ : 0) | (write{n} ? VM_WRITE : 0) | (exec{n} ? VM_EXEC : 0))",
    ),
    "one": _Kind((), "1"),
    "noflags": _Kind((), "0"),
    "pmd_shift": _Kind((), "PMD_SHIFT"),
    "pmd_size": _Kind((), "PMD_SIZE"),
    "hstate": _Kind((), "&h{n}", "struct hstate h{n}; h{n}.order = PMD_SHIFT - PAGE_SHIFT; "),
}
def _once(level: str) -> _Return:
    """An entry as a word; the macro may name its argument twice, and the helper is called once."""
    return _Return(
        f"w_{level}", f"({{{{ __auto_type pteproof_entry = {{}}; {level}_val(pteproof_entry); }}}})"
    )


_RETURNS: dict[str, _Return] = {
    "bool": _Return("_Bool", "!!({})"), "pte": _once("pte"), "pmd": _once("pmd"),
    "pud": _once("pud"), "prot": _Return("w_prot", "pgprot_val({})"), "val": _Return("w_pte", "{}"),
    "ulong": _Return("unsigned long", "{}"), "number": _Return("unsigned long", "{}"),
    "swp": _Return("unsigned long", "({}).val"), "void": _Return("void", "{}"),
}
HEAD = """\
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/hugetlb.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#if __has_include(<linux/leafops.h>)
#include <linux/leafops.h>
#endif
#include <linux/pgtable.h>
#include <asm/tlbflush.h>
#include <asm/tlb.h>
extern pte_t pteproof_pte; extern pmd_t pteproof_pmd; extern pud_t pteproof_pud;
extern pgprot_t pteproof_prot;
typedef typeof(pte_val(pteproof_pte)) w_pte; typedef typeof(pmd_val(pteproof_pmd)) w_pmd;
typedef typeof(pud_val(pteproof_pud)) w_pud;
typedef typeof(__builtin_choose_expr(sizeof(pgprot_val(pteproof_prot)) < sizeof(w_pte),
                                     (w_pte)0, pgprot_val(pteproof_prot))) w_prot;
"""


def outside(premise: str) -> str:
    """The function that a wrapper calls where a premise of the build's does not hold."""
    return f"{PREFIX}outside_{premise}"


def load_shapes() -> list[Shape]:
    """Every way of calling that shapes.yaml lists, in its order; after those of a helper, what
    names.yaml has for other versions.

    SpecError where a file says something else.
    """
    table = read_yaml(Path(__file__).with_name("shapes.yaml"), f"{_SHOWN}/shapes.yaml")
    table.only(_RETURNS, "the shapes")
    names = _load_names()
    found: dict[str, list[Shape]] = {}
    for returns in table:
        for source in table.need(returns, Items, "the shapes").each(Source, "a shape is a text"):
            for shape in _expand(source, returns):
                found.setdefault(shape.helper, []).append(shape)
    return [
        replace(shape, number=number)
        for helper, shapes in found.items()
        for number, shape in enumerate(_with_names(shapes, [n for n in names if n.covers(helper)]))
    ]


def _with_names(shapes: list[Shape], names: Sequence[_Name]) -> list[Shape]:
    """The ways to call one helper: by its name where no rule stands for it in every version, and
    by those of other versions.
    """
    always = [n for n in names if n.between is None]
    own = [shape for shape in shapes if not always]
    return own + [replace(s, call=n.call(s.helper)) for n in names for s in shapes]


@dataclass(frozen=True, slots=True)
class _Name:
    """A rule of names.yaml."""

    helper: re.Pattern[str]
    c: str
    between: tuple[str, ...] | None

    def covers(self, helper: str) -> bool:
        return self.helper.fullmatch(helper) is not None

    def call(self, helper: str) -> str:
        match = self.helper.fullmatch(helper)
        assert match is not None
        return match.expand(self.c)


def _load_names() -> list[_Name]:
    table = read_yaml(Path(__file__).with_name("names.yaml"), f"{_SHOWN}/names.yaml")
    table.only(("names",), "the names")
    found = []
    for rule in table.need("names", Items, "the names").each(Table, "a rule is a table"):
        rule.only(("helper", "c", "between"), "a rule of names")
        between = rule.texts("between", "a rule of names") if "between" in rule else None
        if between is not None and len(between) != 2:
            raise SpecError(rule.key_at["between"], "two versions: the last with the old name, the"
                            " first with the new")
        helper = rule.text("helper", "a rule of names")
        try:
            found.append(_Name(re.compile(helper), rule.text("c", "a rule of names"), between))
        except re.error as error:
            raise SpecError(rule.key_at["helper"], f"{helper!r}: {error}") from None
    return found


def _expand(source: Source, returns: str) -> list[Shape]:
    """One line for each level; `pte` as a result is the level's own."""
    found = []
    for level in _LEVELS if "{L}" in source.text else ("",):
        text = source.text.replace("{L}", level)
        match = _SHAPE.fullmatch(text)
        if match is None:
            raise SpecError(source.where, f"{text!r} is no helper with its parameters")
        kinds = tuple(k.strip() for k in (match[3] or "").split(",") if k.strip())
        for kind in kinds:
            if kind not in _KINDS:
                raise SpecError(source.where, f"unknown kind of parameter {kind!r}")
        result = returns
        if returns == "pte":
            result = level or _level(match[1], kinds)
        arguments = ", ".join(f"{{{n}}}" for n in range(len(kinds)))
        call = match[1] if match[2] is None else f"{match[1]}({arguments})"
        found.append(Shape(match[1], result, kinds, call))
    return found


def _level(helper: str, kinds: tuple[str, ...]) -> str:
    """The level that a helper without {L} works on."""
    named = re.search(r"pte|pmd|pud", helper)
    if named:
        return named[0]
    return next((k[:3] for k in kinds if k[:3] in _LEVELS), "pte")


def wrapper_file(
    shapes: Iterable[Shape],
    constants: Mapping[str, str],
    premises: Callable[[str], Mapping[str, str]] = lambda helper: {},
    declared: Iterable[str] = (),
) -> tuple[str, dict[int, str]]:
    """The text of a file in C, and which wrapper stands on which line.

    `constants` (name -> C) become functions that give them; `premises`: helper -> name -> C over
    the wrapper's parameters; `declared`: C before the wrappers.
    """
    lines = [*HEAD.splitlines(), *declared]
    where: dict[int, str] = {}
    for name, expression in constants.items():
        lines.append(f"unsigned long {PREFIX}constant_{name}(void) {{ return {expression}; }}")
        where[len(lines)] = f"{PREFIX}constant_{name}"
    for name, text in (("shadow_stack", "VM_SHADOW_STACK != 0"),):
        lines.append(f"_Bool {PREFIX}possible_{name}(void) {{ return {text}; }}")
        where[len(lines)] = f"{PREFIX}possible_{name}"
    for level in _LEVELS:
        lines.append(f"unsigned long {PREFIX}size_{level}(void) {{ return sizeof({level}_t); }}")
        where[len(lines)] = f"{PREFIX}size_{level}"
    for shape in shapes:
        lines.append(shape.text(premises(shape.helper)))
        where[len(lines)] = shape.wrapper
    return "\n".join(lines) + "\n", where
