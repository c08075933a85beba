# SPDX-License-Identifier: GPL-2.0-or-later
"""One run, in the forms that people and programs read. Nothing here prints or decides."""
