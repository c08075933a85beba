# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the kernel's C and the specs meet: functions of mm/, and counterexamples replayed."""
