# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches from strangers: read, applied in memory, and what they come to."""
