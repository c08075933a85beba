# SPDX-License-Identifier: GPL-2.0-or-later
"""The order in which the blocks of a function are walked: loops as units, with their blocks in
order inside.

A `Loop` is a header and what is in the loop besides; leaving it goes to blocks that come later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from verifier.kernel.llvm.ir import IrFunction
from verifier.kernel.llvm.values import NotModelled

__all__ = ["Loop", "Part", "order"]


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop: its header, and the blocks and loops that are in it besides, in the order of walking.
    """

    header: str
    body: tuple[Part, ...]


Part: TypeAlias = str | Loop


def order(function: IrFunction) -> tuple[Part, ...]:
    """Blocks and loops so that each comes after what leads to it.

    NotModelled where a loop has two entries.
    """
    edges = {block.label: tuple(dict.fromkeys(block.successors)) for block in function.blocks}
    return _parts(list(edges), edges, {function.blocks[0].label})


def _parts(
    blocks: list[str], edges: dict[str, tuple[str, ...]], entries: set[str]
) -> tuple[Part, ...]:
    """The parts of a piece of the graph which is entered at `entries`."""
    inside = set(blocks)
    found: list[Part] = []
    for component in reversed(_components(blocks, edges, inside)):
        members = set(component)
        if len(component) == 1 and component[0] not in edges[component[0]]:
            found.append(component[0])
            continue
        headers = {
            to
            for source in blocks
            if source not in members
            for to in edges[source]
            if to in members
        }
        headers |= entries & members
        if len(headers) != 1:
            raise NotModelled("a loop with more than one entry")
        # Without the edges back to the header, what is left of the loop is ordered like a function.
        header = headers.pop()
        rest = [b for b in component if b != header]
        inner = {b: tuple(to for to in edges[b] if to != header) for b in component}
        found.append(
            Loop(header, _parts(rest, inner, {to for to in inner[header] if to in members}))
        )
    return tuple(found)


def _components(
    blocks: list[str], edges: dict[str, tuple[str, ...]], inside: set[str]
) -> list[list[str]]:
    """Tarjan's strongly connected components, last ones first, without recursion."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for root in blocks:
        if root in number:
            continue
        work = [(root, iter([to for to in edges[root] if to in inside]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            block, successors = work[-1]
            advanced = False
            for to in successors:
                if to not in number:
                    number[to] = low[to] = len(number)
                    stack.append(to)
                    on_stack.add(to)
                    work.append((to, iter([t for t in edges[to] if t in inside])))
                    advanced = True
                    break
                if to in on_stack:
                    low[block] = min(low[block], number[to])
            if advanced:
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[block])
            if low[block] == number[block]:
                component = []
                while True:
                    member = stack.pop()
                    on_stack.discard(member)
                    component.append(member)
                    if member == block:
                        break
                found.append(component[::-1])
    return found
