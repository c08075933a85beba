# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may name what, as data: what the texts of each section see, set and call.

This separation makes a verdict worth something. Code and `requires` see visible state and
observations. Actions see truth and never an entry. Only properties and axioms see both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = [
    "ACTION", "AXIOM", "CODE", "EFFECT", "ENCODING", "FLUSH", "HOLDS", "PROCEDURE", "PROPERTY",
    "READING", "REQUIRES", "STATIC", "THREAD", "TRUTH", "VIEW", "Section",
]


@dataclass(frozen=True, slots=True)
class Section:
    """What the texts of one section may name."""

    name: str
    read_visible: bool = False
    write_visible: bool = False
    read_truth: bool = False
    write_truth: bool = False
    before: bool = False  # was_...: the state before the step
    helpers: bool = False
    calls: tuple[str, ...] = ()
    observe: bool = False
    threads: bool = False  # where threads stand, and their locals: read
    # written about ptes, and read at every level; else its names are those of its own level
    shared: bool = True


VIEW = Section("views", read_visible=True, helpers=True, calls=("views",))
ENCODING = Section("encoding", read_visible=True, write_visible=True, helpers=True,
                   calls=("views",))
READING = Section("readings", read_visible=True, helpers=True,
                  calls=("views", "encoding", "readings"))
TRUTH = Section("truths", read_truth=True, calls=("truths",))
ACTION = Section("actions", read_truth=True, write_truth=True, calls=("truths",))
CODE = Section("code", read_visible=True, write_visible=True, helpers=True, observe=True,
               calls=("views", "encoding", "procedures", "actions"), shared=False)
PROCEDURE = Section("procedures", read_visible=True, write_visible=True, helpers=True, observe=True,
                    calls=("views", "encoding", "procedures", "actions"))
FLUSH = Section("flushes", helpers=True, observe=True, calls=("actions",), shared=False)
REQUIRES = Section("requires", read_visible=True, helpers=True, calls=("views", "encoding"),
                   shared=False)
STATIC = Section("statements about entries alone", helpers=True, calls=("views", "encoding"))
AXIOM = Section("axioms", read_visible=True, read_truth=True, helpers=True,
                calls=("views", "truths", "holds"), threads=True)
PROPERTY = Section("properties", read_visible=True, read_truth=True, before=True, helpers=True,
                   calls=("views", "readings", "truths", "encoding", "holds"), threads=True)
# A thread is code. It sees and sets its own locals too (ModelScope.thread), as no other code does.
# One text walks over the entries of all levels.
THREAD = replace(CODE, name="threads", observe=False, calls=(*CODE.calls, "holds"), shared=True)
HOLDS = Section("holds", read_visible=True, helpers=True, calls=("views", "holds"), threads=True)
EFFECT = replace(PROPERTY, name="effects", shared=False)
