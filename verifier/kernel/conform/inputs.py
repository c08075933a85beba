# SPDX-License-Identifier: GPL-2.0-or-later
"""What the lifted code does not know: free, or as the variant's features and the build's axioms
have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from verifier.kernel.llvm.values import NotModelled
from verifier.kernel.tree.build import Build
from verifier.language.algebra import Algebra

__all__ = ["Free", "Given", "KernelInputs", "Nothing"]


class Free(Protocol):
    """Where free words and truths come from, by name: the algebra itself, or given values."""

    def input_word(self, name: str, width: int) -> Any:
        """A free word of so many bits, the same for each use of its name."""
    def input_bool(self, name: str) -> Any:
        """A free truth, the same for each use of its name."""


@dataclass(slots=True)
class KernelInputs:
    """Names of the lifted code: axioms and features of a variant have their values, all else is
    free.
    """

    alg: Algebra[Any, Any]
    free: Free
    build: Build
    features: Mapping[str, bool]  # name of a truth of the lifted code, or "@global", -> its value
    big_endian: bool = False
    notes: dict[str, None] = field(default_factory=dict)

    def word(self, name: str, width: int) -> Any:
        """The word of a name, of so many bits: an axiom's value, bits that features give, or free.
        """
        for axiom in self.build.axioms:
            if axiom.word == name and axiom.bits == width:
                self.notes[str(axiom)] = None
                return self.alg.word(axiom.value, width)
        bits: dict[int, bool] = {}
        told: list[str] = []
        for key, value in self.features.items():
            symbol, bit, number = key.partition("[bit ")
            at = int(number.rstrip("]")) if bit else 0
            if bit and name == f"{symbol}[{at // 64 * 8}]" and width == 64:
                told.append(f"{key[1:]} is {str(value).lower()}, as the variant says")
                bits[at % 64] = value
            if name == f"{key}[0]" and key.startswith("@"):
                self.notes[f"{key[1:]} is {str(value).lower()}, as the variant says"] = None
                rest = self.free.input_word(f"{name} behind the first byte", width - 8)
                first = self.alg.word(int(value), 8)
                if self.big_endian:
                    return self.alg.concat(first, rest, 8, width - 8)
                return self.alg.concat(rest, first, width - 8, 8)
        if len(bits) == 64:
            mask = sum(1 << bit for bit, value in bits.items() if value)
            self.notes[f"{name[1:]} is {mask:#x}, as the variant says"] = None
            return self.alg.word(mask, 64)
        self.notes |= dict.fromkeys(told)
        if bits:
            return self._with_bits(name, bits)
        return self.free.input_word(name, width)

    def _with_bits(self, name: str, bits: Mapping[int, bool]) -> Any:
        """A word of a bitmap of which some bits are known.

        Bits are numbered as on little-endian machines.
        """
        alg, full = self.alg, (1 << 64) - 1
        ones, zeros = (
            sum(1 << bit for bit, value in bits.items() if value is wanted)
            for wanted in (True, False)
        )
        free = self.free.input_word(f"{name} but for bit {', '.join(map(str, sorted(bits)))}", 64)
        return alg.bor(alg.band(free, alg.word(~zeros & full, 64), 64), alg.word(ones, 64), 64)

    def boolean(self, name: str) -> Any:
        """The truth of a name: a feature's value, or free."""
        if name in self.features:
            self.notes[f"{name} is {str(self.features[name]).lower()}, as the variant says"] = None
            return self.alg.truth(self.features[name])
        return self.free.input_bool(name)


class Nothing:
    """No free words: for what must be a constant."""

    def input_word(self, name: str, width: int) -> Any:
        """Raises NotModelled: nothing is free."""
        raise NotModelled(f"{name} is not a constant")

    def input_bool(self, name: str) -> Any:
        """Raises NotModelled: nothing is free."""
        raise NotModelled(f"{name} is not a constant")


class Given:
    """Values of free words by name, as a solver's model has them; what it left out is 0.

    `asked`: those that were looked at.
    """

    def __init__(self, values: Mapping[str, int | bool]) -> None:
        self.values = values
        self.asked: dict[str, int] = {}

    def input_word(self, name: str, width: int) -> int:
        self.asked[name] = int(self.values.get(name, 0))
        return self.asked[name]

    def input_bool(self, name: str) -> bool:
        self.asked[name] = int(self.values.get(name, False))
        return bool(self.asked[name])
