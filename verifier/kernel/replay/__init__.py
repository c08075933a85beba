# SPDX-License-Identifier: GPL-2.0-or-later
"""Values run through the kernel's own helpers."""
