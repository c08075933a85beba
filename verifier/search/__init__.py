# SPDX-License-Identifier: GPL-2.0-or-later
"""How a bad state is reached, and what it leads to."""
