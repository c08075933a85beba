# SPDX-License-Identifier: GPL-2.0-or-later
"""What else is made of proofs: certificates, planted mistakes, tables, exports."""
