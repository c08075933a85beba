# SPDX-License-Identifier: GPL-2.0-or-later
"""A run as lines of JSON while it goes on.

The lines of a theorem are written when it closes, in the records that the JSON result has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from verifier.prove.obligations import Group
from verifier.prove.results import Result, Run
from verifier.report.result_json import head, opening, records, text
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.news import Closed, News

__all__ = ["Stream"]


class Stream:
    """Listens to a run and hands each line to `write`.

    The first line is about the run; `end` writes the last.
    """

    def __init__(self, write: Callable[[str], None], library: Library | None, filters: Filters,
                 inhabitants: bool) -> None:
        self.library, self.inhabitants = library, inhabitants
        self.write = write
        self.told: dict[Group, list[Result]] = {}  # of theorems that are not closed yet
        self._line("run", opening(library) | {"asked": asdict(filters)})

    def __call__(self, news: News) -> None:
        if isinstance(news, Result):
            self.told.setdefault(news.obligation.group, []).append(news)
        elif isinstance(news, Closed):
            self._results(news.group)
            self._line("closed", {"theorem": str(news.group), "counts": dict(news.counts)})

    def end(self, run: Run) -> None:
        """What was decided of theorems that did not close, and what the run comes to."""
        for group in list(self.told):
            self._results(group)
        self._line("end", head(run))

    def _results(self, group: Group) -> None:
        results = sorted(self.told.pop(group, ()), key=lambda r: r.obligation.id)
        for kind, record in records(self.library, results, self.inhabitants) if results else ():
            self._line(kind, record)

    def _line(self, kind: str, record: dict[str, Any]) -> None:
        self.write(text({"line": kind} | record))
