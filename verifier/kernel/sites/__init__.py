# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the kernel's source uses helpers of entries: found in the text, with a real parser of C."""
