# SPDX-License-Identifier: GPL-2.0-or-later
"""What every room uses: errors, exit codes, output, kept files, digests, processes."""
