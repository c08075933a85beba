# SPDX-License-Identifier: GPL-2.0-or-later
# z3's C functions.

from typing import Any

def __getattr__(name: str) -> Any: ...
