# SPDX-License-Identifier: GPL-2.0-or-later
"""Questions about one step, and the ways to decide them."""
