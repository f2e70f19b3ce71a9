#!/usr/bin/env bash
# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# Removes from an environment what is opened on a GPU only: slim_cpu.sh VENV. torch is built for CUDA and links most of
# its libraries, so they stay; these it opens when there is a device, and no device ever comes into the CPU image.

set -euo pipefail

packages="${1:?name the environment}/lib/python3.12/site-packages"
[[ -d $packages/torch ]] || {
    printf 'slim_cpu.sh: %s is no environment of himloco.sh\n' "$1" >&2
    exit 1
}
before="$(du -sm -- "$1" | cut -f1)"
shopt -s nullglob
rm -rf -- "$packages/triton" # kernels for GPUs
rm -f -- "$packages"/nvidia/cudnn/lib/libcudnn_*.so.* # behind libcudnn.so, which stays
rm -f -- "$packages"/nvidia/cu13/lib/lib{cusolver,cusolverMg,nvrtc,nvrtc-builtins,nvperf_host,nvperf_target}.* \
    "$packages"/nvidia/cu13/lib/lib*_static.a
rm -f -- "$packages"/nvidia/nvshmem/lib/libnvshmem_device.*
rm -f -- "$packages/ovphysx/plugins/libPhysXGpu_64.so"
printf 'slim_cpu.sh: %s MB of %s MB removed\n' "$((before - $(du -sm -- "$1" | cut -f1)))" "$before" >&2
