#!/usr/bin/env bash
# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# MuJoCo 3.12.0, 3.17.0 and 4.0.0: shapes that fall straight down, without turning, on a height field whose heights
# are all equal are pushed sideways; on a plane and on a box of the same height they are not.
#
# Seen, largest horizontal speed in the two seconds after a fall from 0.3 m [m/s]:
#              plane   box   height field
#   sphere     0.000  0.000  0.095
#   box        0.000  0.000  0.070 (4.0.0: 0.286)
#   capsule    0.000  0.000  0.597
# So: where level ground can be a plane or a box, a height field is the worse choice, and energies or drifts of a walk
# measured on one belong to the engine in part.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf -- "$folder"' EXIT
cd "$folder"
for version in 3.12.0 3.17.0 4.0.0; do
    rm -rf venv # an upgrade in place is broken, see mujoco_upgrade_to_4.sh
    "${PYTHON:-python3}" -m venv venv
    venv/bin/pip install --quiet --disable-pip-version-check "mujoco==$version"
    venv/bin/python - <<'PY'
import math

import mujoco

GROUNDS = {
    "plane": '<geom type="plane" size="2 2 .1"/>',
    "box": '<geom type="box" size="2 2 .1" pos="0 0 -.1"/>',
    "height field": '<geom type="hfield" hfield="level"/>',
}
SHAPES = {
    "sphere": 'type="sphere" size=".05"',
    "box": 'type="box" size=".1 .05 .03"',
    "capsule": 'type="capsule" size=".03 .1"',
}


def fastest(ground: str, shape: str) -> float:
    model = mujoco.MjModel.from_xml_string(
        f"""<mujoco><option timestep="0.005"/>
        <asset><hfield name="level" nrow="41" ncol="41" size="2 2 1 .1"/></asset>
        <worldbody>{GROUNDS[ground]}
        <body pos=".013 .027 .3"><freejoint/><geom {SHAPES[shape]} mass="1"/></body></worldbody></mujoco>"""
    )
    data = mujoco.MjData(model)
    speed = 0.0
    for _ in range(400):
        mujoco.mj_step(model, data)
        speed = max(speed, math.hypot(data.qvel[0], data.qvel[1]))
    return speed


print("mujoco", mujoco.__version__)
for shape in SHAPES:
    speeds = {ground: fastest(ground, shape) for ground in GROUNDS}
    print(f"  {shape:8}", "  ".join(f"{ground} {speed:.3f}" for ground, speed in speeds.items()))
    assert max(speeds["plane"], speeds["box"]) < 0.001, "changed: pushed on a plane or a box, too"
    assert speeds["height field"] > 0.01, "changed: no longer pushed on a height field"
PY
done
