# SPDX-License-Identifier: GPL-2.0-or-later
"""Architectures, specs, and one step of the world."""
