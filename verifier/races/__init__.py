# SPDX-License-Identifier: GPL-2.0-or-later
"""Races under weak memory: threads without the lock against those that hold it."""
