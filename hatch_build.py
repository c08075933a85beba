# SPDX-License-Identifier: GPL-2.0-or-later
"""A step of the build: makes the native core where there is a C compiler, and goes on without it
where there is none.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent))
from verifier.base.compiled import make_compiled

CORE = "verifier/engine/_graph.c"


class NativeCore(BuildHookInterface):  # type: ignore[misc]
    """Beside its C; so an editable install finds it too.

    A wheel that has it is one for this kind of machine.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        source = Path(self.root, CORE)
        try:
            made = make_compiled(source, source.parent)
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", None) or str(error).encode()
            why = said.decode(errors="replace").strip()
            self.app.display_warning(f"without the native core: {why}")
            return
        build_data["artifacts"].append(f"/{made.relative_to(self.root)}")
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"cp311-abi3-{platform}"
