# SPDX-License-Identifier: GPL-2.0-or-later
"""Entries of two words that are read and stored by halves."""
