# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""HIMLoco's task for four-legged robots (facts 4.9), once. Robots differ in ``config``."""
