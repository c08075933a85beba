# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tool says to what pages quote: in this process, without a cache, each id as if it were
asked alone.
"""

from __future__ import annotations

import fnmatch
import re
import shlex
from dataclasses import dataclass, field
from unittest.mock import patch

from click.testing import CliRunner

from verifier.cli import main
from verifier.kernel.conform.laws import LawFails, LawHolds, NotApplicable, judge_law
from verifier.model.laws import load_laws
from verifier.prove.obligations import Group
from verifier.prove.results import Result, verdict_name
from verifier.report.explain import explain_text
from verifier.run.filters import Filters
from verifier.run.library import Library
from verifier.run.messages import Contradicts, Done, Failed, Task
from verifier.run.plan import groups_of
from verifier.run.worker import work

# Of an id that names many variants, make test runs these of them, else the first; make docs runs
# all.
# commands whose output a page may quote
QUICK = ("blocks", "call", "decode", "encode", "explain", "list", "prove", "races",
         "two-words")
SAMPLE = ("x86_64", "mips64")
TAIL = re.compile(r"^  decided  by .*, (\d+ ms|from cache)\n", re.MULTILINE)


@dataclass(slots=True)
class Tool:
    """Answers, each worked out once. `whole`: all that a glob names, not a sample."""

    library: Library
    whole: bool = False
    results: dict[str, Result] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    said: dict[str, list[str]] = field(default_factory=dict)

    def meant(self, glob: str) -> list[str]:
        """The ids that a glob names: all of them, or a sample of variants, each under the first
        encoding and code.
        """
        parts = [part.replace("+", "[+]") for part in glob.split("/")]
        filters = Filters(*((part,) for part in (parts[0], parts[1], parts[2], parts[4])))
        groups = [g for g in groups_of(self.library, filters)[0]
                  if fnmatch.fnmatchcase(g.variant, parts[0])]
        found = [f"{g.variant}/{g.level}/{g.encoding}/{t}/{g.code}/{p}"
                 for g in groups for t, p in self.pairs(g, parts[3], parts[5])]
        if self.whole or len(found) == 1 or not found:
            return found
        names = list(dict.fromkeys(i.split("/")[0] for i in found))
        some = [name for name in SAMPLE if name in names] or names[:1]
        sample: dict[tuple[str, ...], str] = {}
        for identity in found:
            variant, level, _, transition, _, prop = identity.split("/")
            if variant in some:
                sample.setdefault((variant, level, transition, prop), identity)
        return list(sample.values())

    def pairs(self, group: Group, transition: str, prop: str) -> list[tuple[str, str]]:
        """Transitions and properties of a group by globs.

        Only where both globs match something of it.
        """
        model = self.library.group_model(group)
        lacks = model.layout.variant.absent
        steps = [t.name for t in model.spec.transitions.values() if not set(t.needs) & set(lacks)]
        steps += ["init", "static", *(f"hw-{event}" for event in model.layout.variant.hardware)]
        props = [p.name for p in model.spec.properties.values() if not set(p.needs) & set(lacks)]
        return [(t, p) for t in steps if fnmatch.fnmatchcase(t, transition) for p in props
                if fnmatch.fnmatchcase(p, prop)]

    def result(self, identity: str) -> Result:
        """The result of one obligation."""
        if identity not in self.results:
            variant, level, encoding, transition, code, prop = identity.split("/")
            told: list[Result] = []
            filters = Filters((variant,), (level,), (encoding,), (code,), (transition,), (prop,))

            def say(news: object) -> None:
                assert not isinstance(news, (Contradicts, Failed)), news
                told.extend([news.result] if isinstance(news, Done) else [])

            work(self.library,
                 Task((Group(variant, level, encoding, code),), filters, search_seconds=120.0), say)
            assert len(told) == 1, f"{identity}: {len(told)} results"
            self.results[identity] = told[0]
        return self.results[identity]

    def explain(self, identity: str) -> tuple[str, str]:
        """Verdict and text of one obligation."""
        if identity not in self.texts:
            self.texts[identity] = TAIL.sub("", explain_text(self.library, self.result(identity)),
                                            count=1)
        return verdict_name(self.result(identity).verdict), self.texts[identity]

    def law(self, identity: str) -> list[tuple[str, str]]:
        """Verdict and values of the laws and traits that an id names, of each variant."""
        variants, level, _, name = identity.split("/")
        files = (None, self.library.spec_folder / "traits.yaml")
        laws = [law for file in files for law in load_laws(file) if law.level == level
                and fnmatch.fnmatchcase(law.name, name)]
        found = []
        for variant in [v.name for v in self.library.variants()
                        if fnmatch.fnmatchcase(v.name, variants)]:
            for law in laws:
                match judge_law(law, self.library.layout(variant), None, "bits"):
                    case LawFails(values=values):
                        found.append(("refuted",
                                      " ".join(f"{k} = {v:#x}" for k, v in values.items())))
                    case LawHolds():
                        found.append(("proved", ""))
                    case NotApplicable():
                        pass
                    case other:
                        found.append(("incomplete", other.reason))
        return found if self.whole else found[:1]

    def output(self, command: str) -> list[str]:
        """The lines that a command prints."""
        words = shlex.split(command, comments=True)
        assert words[0] == "pteproof" and words[1] in QUICK, (
            f"{command}: no page can quote what this prints; {', '.join(QUICK)}")
        if command not in self.said:
            if words[1] == "explain" and len(words) == 3:
                self.said[command] = self.explain(words[2])[1].splitlines()
            else:
                # not read anew for each command
                with patch("verifier.commands.look.load", lambda context, only="": self.library):
                    result = CliRunner().invoke(main, words[1:])
                assert result.exit_code in (0, 1), (
                    f"{command}: exit code {result.exit_code}: {result.output}")
                self.said[command] = result.output.splitlines()
        return self.said[command]
