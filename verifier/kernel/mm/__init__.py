# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions of the kernel's mm/, lifted whole."""
