# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Unitree's C++ SDK with its own DDS 0.10.2 drives ``robot_sim.py``: outside CI, on loopback.

``python tests/trials/far_sdk.py FAR_PYTHON``, where FAR_PYTHON is the Python of an environment with
``far-unitree-sdk==0.1.8`` alone. It says how many of the SDK's commands the simulated robot obeyed: those whose
checksum is right by our arithmetic, and which carry the ``mode_machine`` that the SDK read from our state.

The SDK insists on domain 0 and takes a configuration as text: ExternalDomainId lets it appear in another domain.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DOMAIN = 57
CONFIG = (
    '<CycloneDDS><Domain Id="any"><General><Interfaces><NetworkInterface name="lo" multicast="false"/></Interfaces>'
    "<AllowMulticast>false</AllowMulticast></General>"
    f"<Discovery><ExternalDomainId>{DOMAIN}</ExternalDomainId><ParticipantIndex>auto</ParticipantIndex>"
    '<MaxAutoParticipantIndex>20</MaxAutoParticipantIndex><Peers><Peer address="127.0.0.1"/></Peers></Discovery>'
    "</Domain></CycloneDDS>"
)
SDK = f"""
import time
import unitree_interface as sdk
robot = sdk.UnitreeInterface("lo", sdk.RobotType.G1, sdk.MessageType.HG, dds_config={CONFIG!r})
for _ in range(400):
    command = robot.create_zero_command()
    command.kp, command.kd = [float(1 + i) for i in range(29)], [2.0] * 29
    robot.write_low_command(command)
    time.sleep(0.02)
print("mode_machine", robot.read_low_state().mode_machine)
"""


def main(far_python: str) -> int:
    """Run both and return the exit code."""
    root = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "robot.json"
        options = ["--domain", str(DOMAIN), "--motion_service", "", "--json", str(out)]
        robot = subprocess.Popen([sys.executable, str(root / "scripts/robot_sim.py"), *options])
        time.sleep(5.0)
        told = subprocess.run([far_python, "-c", SDK], capture_output=True, text=True, timeout=120, check=True).stdout
        robot.send_signal(signal.SIGINT)
        robot.wait(60)
        found = json.loads(out.read_text())
    obeyed = found["commands"] - sum(found["refused"].values())
    print(
        f"{told.strip().splitlines()[-1]}; {obeyed} of {found['commands']} commands obeyed, refused {found['refused']}"
    )
    # the SDK's first commands may come before it has read the robot's mode_machine
    return 0 if "mode_machine 5" in told and obeyed > 100 and "checksum" not in found["refused"] else 1


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
