# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""From a trained model to files that run without it: ONNX, TorchScript, and a manifest of what they expect."""
