#!/usr/bin/env bash
# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# Removes what only a GPU uses from an environment of himloco.sh: slim_cpu.sh VENV. The packages of cpu_excludes.txt go
# (or were not installed: UV_EXCLUDE). torch is built for CUDA all the same, and its Python bindings do not load without
# libtorch_cuda.so and libcudnn.so.9; in their place come libraries of the same names whose functions abort. A machine
# without a device never calls them: torch asks libc10_cuda.so and libcudart.so first, which stay. Needs binutils.

set -euo pipefail

packages="${1:?name the environment}/lib/python3.12/site-packages"
torch="$packages/torch/lib"
[[ -d $torch ]] || {
    printf 'slim_cpu.sh: %s is no environment of himloco.sh\n' "$1" >&2
    exit 1
}
case "$(uname -m)" in
x86_64) abort="jmp abort@PLT" slot="lea slot(%rip), %rax; ret" ;;
aarch64) abort="b abort" slot="adrp x0, slot; add x0, x0, :lo12:slot; ret" ;;
*)
    printf 'slim_cpu.sh: no stub for %s\n' "$(uname -m)" >&2
    exit 1
    ;;
esac
work="$(mktemp -d)"
trap 'rm -rf -- "$work"' EXIT

# Prints what the libraries $@ take from others, with its version behind an @ where it has one.
undefined() { nm --dynamic --undefined-only --format=posix -- "$@" | awk 'NF > 1 { print $1 }' | sort -u; }

# Makes a library $1 with the symbols of the standard input, of version $2 if that is given. Type information gets its
# name, by which pybind11 keeps the classes apart when torch is imported; of virtual tables nobody without an object of
# the class reads anything; and c10d::get_gil_checker() returns a place for a pointer, which an import of torch sets.
stub() {
    awk -v abort="$abort" -v slot="$slot" -v vtable=_ZTVN10__cxxabiv117__class_type_infoE '
        { print ".globl " $1 }
        /^_ZTI/ { data = data ".balign 8\n.type " $1 ",%object\n.size " $1 ",24\n"
            data = data $1 ": .8byte " vtable "+16, name" NR ", 0\nname" NR ": .asciz \"" substr($1, 5) "\"\n"; next }
        /^_ZTV/ { data = data ".balign 8\n.type " $1 ",%object\n.size " $1 ",2048\n" $1 ": .zero 2048\n"; next }
        /get_gil_checker/ { place = ".type " $1 ",%function\n" $1 ": " slot "\n"; next }
        { print ".type " $1 ",%function\n" $1 ":" }
        END { print abort "\n" place ".section .data\n.balign 8\nslot: .zero 8\n" data
              print ".section .note.GNU-stack,\"\",%progbits" }
    ' >"$work/stub.s"
    as -o "$work/stub.o" "$work/stub.s"
    echo "${2:-} { global: *; };" >"$work/stub.map"
    ld -shared -soname "${1##*/}" --version-script "$work/stub.map" -o "$work/stub.so" "$work/stub.o"
    rm -f -- "$1"
    install -m 0755 -- "$work/stub.so" "$1"
}

before="$(du -sm -- "$1" | cut -f1)"
shopt -s nullglob
excluded="$(dirname -- "$(readlink -f -- "$0")")/cpu_excludes.txt"
"$1/bin/python" -m pip uninstall --quiet --quiet --yes --requirement "$excluded"
cuda=("$torch"/lib{torch_cuda,torch_cuda_linalg,torch_nvshmem,caffe2_nvrtc}.so)
if [[ ${#cuda[@]} -eq 0 || ! -e ${cuda[3]} ]]; then
    printf 'slim_cpu.sh: %s has no CUDA any more\n' "$1" >&2
else
    nm --dynamic --defined-only --format=posix -- "${cuda[@]}" | awk 'NF > 1 { print $1 }' | sort -u >"$work/has"
    rm -f -- "${cuda[@]}"
    users=("$torch"/*.so "$packages"/torchvision/*.so)
    undefined "${users[@]}" | sed 's/@.*//' | sort -u | comm -12 - "$work/has" | stub "$torch/libtorch_cuda.so"
    mkdir -p -- "$packages/nvidia/cudnn/lib"
    undefined "${users[@]}" | sed -n 's/@libcudnn\.so\.9$//p' |
        stub "$packages/nvidia/cudnn/lib/libcudnn.so.9" libcudnn.so.9
fi
rm -f -- "$packages"/nvidia/cu13/lib/lib{nvperf_host,nvperf_target,checkpoint,pcsamplingutil}.so*
rm -f -- "$packages/ovphysx/plugins/libPhysXGpu_64.so"
# C++ headers, beside the robots' descriptions
rm -rf -- "$packages/cmeel.prefix/include"
printf 'slim_cpu.sh: %s MB of %s MB removed\n' "$((before - $(du -sm -- "$1" | cut -f1)))" "$before" >&2
