# SPDX-License-Identifier: GPL-2.0-or-later
"""What was found on a kernel tree rests on facts: are they still so?

A fact is some words. The contents of files are read each time: their times and sizes say nothing.

    tree PATH KERNEL IDENTITY   `identify` of this tree for this folder of its arch/ is IDENTITY
    file PATH DIGEST            `digest_of` this file is DIGEST
    programs DIGEST             a digest of the clang that is found, and of what belongs to it
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from verifier.base.digests import digest
from verifier.kernel.tree.build_store import Fact, digest_of
from verifier.kernel.tree.toolchain import Toolchain, find_toolchain
from verifier.kernel.tree.tree import Tree, identify_each, open_tree

__all__ = ["all_hold", "programs_fact", "tree_fact"]


def tree_fact(tree: Tree, kernel: str, identity: str) -> Fact:
    """What a tree is, for an architecture by its folder of arch/."""
    return ("tree", str(tree.path), kernel, identity)


def programs_fact(tools: Toolchain) -> Fact:
    """Which programs these are."""
    return ("programs", digest(tools.rests_on()))


def all_hold(facts: Collection[Fact]) -> bool:
    """Are all of these facts so now? False also of words that are no fact.

    UsageError and ExtractionError where a tree, a file or a program cannot be read: no build could
    be made, either.
    """
    trees: dict[str, dict[str, str]] = {}
    for fact in sorted(facts):  # files and programs first: they are read sooner
        match fact:
            case ("file", path, known):
                if digest_of(Path(path)) != known:
                    return False
            case ("programs", _):
                if fact != programs_fact(find_toolchain()):
                    return False
            case ("tree", path, kernel, identity):
                if trees.setdefault(path, {}).setdefault(kernel, identity) != identity:
                    return False  # it has changed while it was used
            case _:
                return False
    return all(
        identify_each(open_tree(path), known) == known for path, known in trees.items()
    )
