# SPDX-License-Identifier: GPL-2.0-or-later
"""What the texts of arch/ and specs/ mean: read, typed, and evaluated over any algebra."""
