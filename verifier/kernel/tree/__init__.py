# SPDX-License-Identifier: GPL-2.0-or-later
"""From a kernel tree to LLVM's intermediate representation."""
