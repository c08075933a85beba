# SPDX-License-Identifier: GPL-2.0-or-later
"""A run: what it covers, what it rests on, who does the work, and what is kept of it."""
