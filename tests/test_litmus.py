# SPDX-License-Identifier: GPL-2.0-or-later
"""Small litmus tests under three models, whose outcomes the literature has; and what is not read.

The kernel's own tests are in tests/kernel/test_memory_model.py.
"""

from __future__ import annotations

import pytest

from verifier.base.errors import UsageError
from verifier.races.judge_litmus import data_race, happens, observation
from verifier.races.read_litmus import read_litmus

_TYPES = {"x": "int *x", "y": "int *y", "z": "int *z", "l": "spinlock_t *l",
          "m": "spinlock_t *m", "a": "atomic_t *a"}


def test_of(exists: str, *threads: str, start: str = "") -> str:
    """A litmus test of threads that share x, y, z, locks l and m, and a counter a."""
    parameters = ", ".join(_TYPES.values())
    code = "\n".join(f"P{i}({parameters}) {{ int r0; int r1; {body} }}"
                     for i, body in enumerate(threads))
    return f"C T\n{{ {start} }}\n{code}\nexists ({exists})"


test_of.__test__ = False  # type: ignore[attr-defined]

SB = ("WRITE_ONCE(*x, 1); {} r0 = READ_ONCE(*y);", "WRITE_ONCE(*y, 1); {} r0 = READ_ONCE(*x);")
MP = ("WRITE_ONCE(*x, 1); {} WRITE_ONCE(*y, 1);",
      "r0 = READ_ONCE(*y); {} r1 = READ_ONCE(*x);")
LB = ("r0 = READ_ONCE(*x); {} WRITE_ONCE(*y, 1);", "r0 = READ_ONCE(*y); {} WRITE_ONCE(*x, 1);")
R = ("WRITE_ONCE(*x, 1); {} WRITE_ONCE(*y, 1);", "WRITE_ONCE(*y, 2); {} r0 = READ_ONCE(*x);")
READER = "rcu_read_lock(); {} rcu_read_unlock();"
IN_X_Y = "r0 = READ_ONCE(*x); r1 = READ_ONCE(*y);"


def both(pair: tuple[str, str], first: str, second: str | None = None) -> tuple[str, str]:
    return pair[0].format(first), pair[1].format(first if second is None else second)


# the condition; the threads; what SC, TSO and LKMM allow
CASES = {
    "SB": ("0:r0=0 /\\ 1:r0=0", both(SB, ""), "nyy"),
    "SB+mb": ("0:r0=0 /\\ 1:r0=0", both(SB, "smp_mb();"), "nnn"),
    "SB+mb on one side": ("0:r0=0 /\\ 1:r0=0", both(SB, "smp_mb();", ""), "nyy"),
    "SB+rmb+wmb": ("0:r0=0 /\\ 1:r0=0", both(SB, "smp_rmb(); smp_wmb();"), "nyy"),
    "SB+xchg": ("0:r0=0 /\\ 1:r0=0", both(SB, "xchg(z, 1);"), "nnn"),
    "SB+relaxed": ("0:r0=0 /\\ 1:r0=0", both(SB, "xchg_relaxed(z, 1);"), "nny"),
    "SB+counter": ("0:r0=0 /\\ 1:r0=0", both(SB, "atomic_inc(a);"), "nny"),
    "SB+counter+after": ("0:r0=0 /\\ 1:r0=0",
                         both(SB, "atomic_inc(a); smp_mb__after_atomic();"), "nnn"),
    "SB+before+counter": ("0:r0=0 /\\ 1:r0=0",
                          both(SB, "smp_mb__before_atomic(); atomic_inc(a);"), "nnn"),
    "SB+after without a counter": ("0:r0=0 /\\ 1:r0=0", both(SB, "smp_mb__after_atomic();"), "nyy"),
    "SB+one lock": ("0:r0=0 /\\ 1:r0=0", both(SB, "spin_lock(l); spin_unlock(l);"), "nnn"),
    "SB+two locks": ("0:r0=0 /\\ 1:r0=0", both(SB, "spin_lock(l); spin_unlock(l);",
                                               "spin_lock(m); spin_unlock(m);"), "nny"),
    "SB+grace periods": ("0:r0=0 /\\ 1:r0=0", both(SB, "synchronize_rcu();"), "nnn"),
    "MP": ("1:r0=1 /\\ 1:r1=0", both(MP, ""), "nny"),
    "MP+wmb+rmb": ("1:r0=1 /\\ 1:r1=0", both(MP, "smp_wmb();", "smp_rmb();"), "nnn"),
    "MP+wmb": ("1:r0=1 /\\ 1:r1=0", both(MP, "smp_wmb();", ""), "nny"),
    "MP+rmb+wmb, each where it does not help": (
        "1:r0=1 /\\ 1:r1=0", both(MP, "smp_rmb();", "smp_wmb();"), "nny"),
    "LB": ("0:r0=1 /\\ 1:r0=1", both(LB, ""), "nny"),
    "LB+ctrl": ("0:r0=1 /\\ 1:r0=1",
                ("r0 = READ_ONCE(*x); if (r0) { WRITE_ONCE(*y, 1); }",
                 "r0 = READ_ONCE(*y); if (r0) { WRITE_ONCE(*x, 1); }"), "nnn"),
    "LB, behind the end of an if": ("0:r0=1 /\\ 1:r0=1",
                                    ("r0 = READ_ONCE(*x); if (r0) { ; } WRITE_ONCE(*y, 1);",
                                     "r0 = READ_ONCE(*y); if (r0) { ; } WRITE_ONCE(*x, 1);"),
                                    "nny"),
    "R": ("y=2 /\\ 1:r0=0", both(R, ""), "nyy"),
    "R+mb": ("y=2 /\\ 1:r0=0", both(R, "smp_mb();"), "nnn"),
    "two sections, one grace period": (
        "0:r0=1 /\\ 0:r1=0 /\\ 1:r0=1 /\\ 2:r0=1", (
            "r0 = READ_ONCE(*x); synchronize_rcu(); r1 = READ_ONCE(*y);",
            READER.format("WRITE_ONCE(*y, 1); r0 = READ_ONCE(*z);"),
            READER.format("WRITE_ONCE(*z, 1); WRITE_ONCE(*x, 1); r0 = READ_ONCE(*z);"),
        ), "yyy"),
    "a section across a grace period": (
        "0:r0=0 /\\ 0:r1=1", (READER.format("r0 = READ_ONCE(*y); r1 = READ_ONCE(*x);"),
                              "WRITE_ONCE(*x, 1); synchronize_rcu(); WRITE_ONCE(*y, 1);"), "yyy"),
    "a section that sees the end of a grace period, not its beginning": (
        "0:r0=1 /\\ 0:r1=0", (READER.format("r0 = READ_ONCE(*y); r1 = READ_ONCE(*x);"),
                              "WRITE_ONCE(*x, 1); synchronize_rcu(); WRITE_ONCE(*y, 1);"), "nnn"),
    "the same without a section": (
        "0:r0=1 /\\ 0:r1=0", ("r0 = READ_ONCE(*y); r1 = READ_ONCE(*x);",
                              "WRITE_ONCE(*x, 1); synchronize_rcu(); WRITE_ONCE(*y, 1);"), "nny"),
    "two additions": ("a=1", ("atomic_inc(a);", "atomic_inc(a);"), "nnn"),
    "an addition that is refused": ("0:r0=1", ("r0 = atomic_add_unless(a, 1, 0);",), "nnn"),
}


@pytest.mark.parametrize("name", CASES)
def test_models(name: str) -> None:
    exists, threads, expected = CASES[name]
    found = happens(read_litmus(test_of(exists, *threads), name))
    assert "".join("y" if found[model] else "n" for model in ("SC", "TSO", "LKMM")) == expected


def test_plain_accesses_race_and_locks_keep_them_apart() -> None:
    free = read_litmus(test_of("1:r0=1", "*x = 1;", "r0 = *x;"), "free")
    locked = read_litmus(test_of("1:r0=1", "spin_lock(l); *x = 1; spin_unlock(l);",
                                 "spin_lock(l); r0 = *x; spin_unlock(l);"), "locked")
    assert data_race(free) and not data_race(locked)


def test_nothing_is_executed_where_a_lock_is_held_for_ever() -> None:
    text = test_of("0:r0=0", "spin_lock(l); spin_lock(l);")
    assert observation(read_litmus(text, "T"), "LKMM") == "DEADLOCK"


@pytest.mark.parametrize(("code", "message"), [
    ("r0 = srcu_read_lock(x);", r"not covered: srcu_read_lock\(\)"),
    ("r0 = smp_mb();", r"not covered: the value of smp_mb\(\)"),
    ("r0 = READ_ONCE(*r1);", "not covered: 0 is followed as a pointer"),
    ("r0 = READ_ONCE(*x) +;", "not understood: expected a name, found ';'"),
    ("while (r0) { ; }", "not understood"),
])
def test_what_is_not_covered_is_said(code: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        happens(read_litmus(test_of("0:r0=0", code), "T"))
