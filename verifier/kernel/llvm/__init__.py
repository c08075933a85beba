# SPDX-License-Identifier: GPL-2.0-or-later
"""LLVM's intermediate representation, read and lifted to formulas."""
