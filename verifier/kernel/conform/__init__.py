# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's helpers held against those of arch/."""
