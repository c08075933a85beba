# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands, one module a subject; each is imported when it is asked for. They alone print."""
