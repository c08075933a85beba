# SPDX-License-Identifier: GPL-2.0-or-later
"""Claims about functions on blocks of entries, and their proofs."""
