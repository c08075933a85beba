# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes planted in arch/ and specs/ on purpose, to see whether anything notices them."""
