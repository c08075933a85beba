# SPDX-License-Identifier: GPL-2.0-or-later
"""Which architecture does what, computed from the helpers."""
