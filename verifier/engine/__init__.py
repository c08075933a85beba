# SPDX-License-Identifier: GPL-2.0-or-later
"""Graphs, terms and the solvers: the only room with solvers in it."""
