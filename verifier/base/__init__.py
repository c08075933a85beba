# SPDX-License-Identifier: GPL-2.0-or-later
"""What every room uses: errors, exit codes, what is written, files that are kept, digests, processes."""
