# SPDX-License-Identifier: GPL-2.0-or-later
"""pteproof: an SMT-based verifier of Linux page table entry encodings."""

__version__ = "0.2.0"
