# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own C: found (tree), built (build, compile), lifted to formulas (lift), held against arch/ (conform)."""
