# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What ``tools/ablate.py`` trains and compares, and the page it writes."""
