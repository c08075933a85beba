# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates: what a checker that is not the solver is given."""
