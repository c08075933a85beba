# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own C: found and compiled (tree), lifted to formulas (llvm, asm), held against arch/
(conform, claims), and run (replay).
"""
