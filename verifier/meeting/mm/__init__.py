# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions of the kernel's mm/ meet the steps of specs/ that say what they do."""
