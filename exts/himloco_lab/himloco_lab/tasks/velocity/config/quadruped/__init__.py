# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""HIMLoco's task for four-legged robots, once. ``robots_cfg`` has what differs; each robot's package registers its."""
