# SPDX-License-Identifier: GPL-2.0-or-later
"""The solvers that are installed, and their versions."""

from __future__ import annotations

__all__ = ["solver_versions"]


def solver_versions() -> dict[str, str]:
    """The version of each installed solver, by the solver's name."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    packages = {"z3": "z3-solver", "python-sat": "python-sat", "bitwuzla": "bitwuzla",
                "cvc5": "cvc5"}
    for name, package in packages.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            continue
    return found
