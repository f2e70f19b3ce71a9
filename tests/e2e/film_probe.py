# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's compiled module has no types)

"""``scripts/play.py``, and where physics and the film have the robot: ``python film_probe.py OUT FLAGS...``."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from himloco_lab.commands import play

OPEN_FILM = play.open_film
KEPT: dict[str, list[Any]] = {"engine": [], "drawn": [], "empty": []}


def open_watched(*args: Any) -> Any:
    """Open the film; of every picture keep the bodies' poses in the engine and in MuJoCo, and the ground alone."""
    film = OPEN_FILM(*args)
    import mujoco  # not earlier: MUJOCO_GL must be set before

    ground_only = mujoco.MjvOption()
    ground_only.geomgroup[:] = [1, 0, 0, 0, 0, 0]
    take_pose = film._take_pose

    def watched() -> None:
        take_pose()
        renderer = film._film.renderer
        renderer.update_scene(film.data, film._film.camera, ground_only)
        KEPT["empty"].append(renderer.render())
        KEPT["engine"].append(film._robot.data.body_pose_w.torch[0].cpu().numpy().copy())  # x, y, z and x, y, z, w
        bodies = [film.data.body(name) for name in film._robot.body_names]
        places = np.array([body.xpos for body in bodies])
        KEPT["drawn"].append(np.hstack([places, np.array([body.xquat for body in bodies])]))  # x, y, z and w, x, y, z

    film._take_pose = watched
    return film


if __name__ == "__main__":
    out, *flags = sys.argv[1:]
    play.open_film = open_watched
    code = play.main(flags)
    np.savez(out, engine=np.array(KEPT["engine"]), drawn=np.array(KEPT["drawn"]), empty=np.array(KEPT["empty"]))
    sys.exit(code)
