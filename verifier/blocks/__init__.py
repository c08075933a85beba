# SPDX-License-Identifier: GPL-2.0-or-later
"""Blocks of neighbouring entries: a world of their own, proved for every size."""
