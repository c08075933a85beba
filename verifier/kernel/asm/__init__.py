# SPDX-License-Identifier: GPL-2.0-or-later
"""What assembly does, a file for each architecture."""
