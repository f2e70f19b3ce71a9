#!/usr/bin/env bash
# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# mujoco 4.0.0 with pip: `pip install --upgrade` from 3.17.0 succeeds and leaves a package that cannot be imported.
# 4.0.0 has its bindings in a second distribution, mujoco-core, that writes into the same folder: pip installs it
# first, and then removes the files of 3.17.0, which have the same names.
#
# Seen: pip's exit code 0, then "ImportError: The 'mujoco' package is installed, but its core bindings ('mujoco-core')
# are missing or corrupted". A new environment, or a second `pip install --force-reinstall --no-deps mujoco-core`, is
# well.
# So: pin one side of 4.0, and make the environment anew when the pin crosses it.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf -- "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
pip=(venv/bin/pip --quiet --disable-pip-version-check install)
try='import mujoco; print("mujoco", mujoco.__version__, "is well")'
"${pip[@]}" mujoco==3.17.0
venv/bin/python -c "$try"
"${pip[@]}" --upgrade mujoco==4.0.0
echo "pip upgraded to 4.0.0 and reported no error"
if error="$(venv/bin/python -c "$try" 2>&1)"; then
    echo "changed: the upgraded package can be imported"
    exit 1
fi
tail -n 2 <<<"$error" | head -n 1
grep -q "core bindings" <<<"$error"
"${pip[@]}" --force-reinstall --no-deps mujoco-core==4.0.0
venv/bin/python -c "$try"
