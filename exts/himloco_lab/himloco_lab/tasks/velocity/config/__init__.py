# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One folder a robot: differences from the base task, registrations, agents."""
