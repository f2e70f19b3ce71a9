# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

# pyright: reportAttributeAccessIssue=false

"""From the messages' bytes to a walk and to damping: what a walk shows, and the mistakes that it would not show."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import mujoco
import numpy as np
import pytest

from himloco_lab.deployment.manifest import Manifest, ManifestError
from himloco_lab.deployment.policy import ZeroPolicy, find_policy, load_manifest, untrained_manifest
from himloco_lab.deployment.robot import controller as limits
from himloco_lab.deployment.robot import runner
from himloco_lab.deployment.robot.controller import Phase, Step
from himloco_lab.deployment.robot.robots import (
    G1,
    GO2,
    ROBOTS,
    MotorMap,
    Targets,
    default_hardware,
    describe_hardware,
    find_robot,
    hardware_of,
)
from himloco_lab.deployment.robot.run_log import RunLog, load_log, replay
from himloco_lab.deployment.robot.runner import Link, run_in_real_time
from himloco_lab.deployment.robot.simulated import Faults, ScriptError, SimulatedRobot, read_script
from himloco_lab.robots.g1 import G1_29DOF_DESCRIPTION, G1_DESCRIPTION
from himloco_lab.robots.urdf import load_model

from .robot_world import POLICIES, STAND_UP, WALK, World, sim2sim_speed

G1_27 = "himloco_lab.robots.g1:G1_DESCRIPTION"
G1_29 = "himloco_lab.robots.g1:G1_29DOF_DESCRIPTION"


@pytest.fixture(scope="module")
def sturdy() -> Manifest:
    return load_manifest(POLICIES / "g1_sturdy")


@pytest.fixture(scope="module")
def go2() -> Manifest:
    return load_manifest(POLICIES / "go2_walk")


# Joints and motors


def test_the_motors_of_27_joints(sturdy: Manifest) -> None:
    """The waist's roll and pitch, motors 13 and 14, are not the policy's; the arms begin behind them."""
    slots = hardware_of(sturdy, find_robot(sturdy)).slots
    assert [slots[name] for name in sturdy.joint_names] == [*range(13), *range(15, 29)]
    assert (slots["waist_roll_joint"], slots["waist_pitch_joint"]) == (13, 14)


def test_the_motors_of_a_go2(go2: Manifest) -> None:
    """The policy's legs are FL, FR, RL, RR, the robot's FR, FL, RR, RL."""
    slots = hardware_of(go2, find_robot(go2)).slots
    assert [slots[name] for name in go2.joint_names] == [3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8]


@pytest.mark.parametrize("name", ["g1_sturdy", "go2_walk"])
def test_every_joint_has_its_own_motor(name: str) -> None:
    """One distinct value per joint, through the bytes, to the simulated joint of that name and back."""
    world = World(name)
    motors, robot = world.motors, world.robot
    values = {joint: 0.01 * (1 + index) for index, joint in enumerate(motors.joints)}
    for joint, value in values.items():
        robot.data.qpos[robot.model.joint(joint).qposadr[0]] = value
        robot.data.qvel[robot.model.joint(joint).dofadr[0]] = -value
    reading = motors.read(robot.state())
    assert reading.joint_pos == pytest.approx([values[joint] for joint in motors.joints])
    assert reading.joint_vel == pytest.approx([-values[joint] for joint in motors.joints])
    stiffness = np.arange(1.0, 1.0 + len(motors.joints))
    command = motors.write(Targets(reading.joint_pos + 0.1, stiffness, 0.0 * stiffness), robot.mode_machine)
    assert robot.obey(command)
    for joint in motors.joints:  # at rest, so that the torque is the stiffness times 0.1 rad
        robot.data.qvel[robot.model.joint(joint).dofadr[0]] = 0.0
    robot.step()
    torques = dict(zip(robot.description.joints, robot.torque, strict=True))
    effort = dict(zip(motors.joints, motors.effort_limit, strict=True))
    for joint, gain in zip(motors.joints, stiffness, strict=True):
        assert torques[joint] == pytest.approx(min(0.1 * gain, effort[joint]), rel=1e-4), joint
    used = {motors.hardware.slots[joint] for joint in motors.joints}
    rest = [slot for slot in range(len(command["motor_cmd"])) if slot not in used]
    assert not command["motor_cmd"]["kp"][rest].any() and not command["motor_cmd"]["kd"][rest].any()


def test_what_is_held_is_the_descriptions(sturdy: Manifest) -> None:
    """Pose and gains of the joints that training locks; the effort is the URDF's."""
    held = hardware_of(sturdy, G1).held
    urdf = load_model(G1_29DOF_DESCRIPTION).joints
    assert [joint.name for joint in held] == ["waist_roll_joint", "waist_pitch_joint"]
    for joint in held:
        spec = G1_DESCRIPTION.actuator_of(joint.name)
        assert (joint.position, joint.stiffness, joint.damping) == (0.0, spec.stiffness, spec.damping)
        assert joint.effort_limit == urdf[joint.name].effort
    assert not hardware_of(untrained_manifest(G1_29), G1).held


def test_the_motors_are_the_descriptions_joints() -> None:
    assert set(G1.motors) == set(G1_29DOF_DESCRIPTION.joints) and G1.motors == G1_29DOF_DESCRIPTION.joints
    assert {name: robot.imu for name, robot in ROBOTS.items()} == {"g1": "pelvis", "go2": "base"}


def test_machine_modes(sturdy: Manifest) -> None:
    """27 joints run on 29 (held) and on a locked waist; 29 need all; nobody's policy runs without its wrists."""
    with_27, with_29 = MotorMap(sturdy, G1), MotorMap(untrained_manifest(G1_29), G1)
    for mode, fits in {
        2: (1, 1),
        5: (1, 1),
        15: (1, 1),
        3: (1, 0),
        6: (1, 0),
        16: (1, 0),
        1: (0, 0),
        4: (0, 0),
    }.items():
        found = with_27.check_machine(mode) is None, with_29.check_machine(mode) is None
        assert found == tuple(map(bool, fits)), mode
    for mode in (0, 9, 42):
        assert "is not known" in str(with_27.check_machine(mode))


def test_the_manifest_can_say_it(sturdy: Manifest) -> None:
    """What follows from the robot's name, written down and read back, is the same."""
    hardware = default_hardware(G1, sturdy.joint_names, sturdy.robot)
    told = Manifest.from_dict(dataclasses.replace(sturdy, hardware=hardware).to_dict())
    assert told.hardware == hardware == describe_hardware(G1_27)
    assert describe_hardware("himloco_lab.robots.go1:GO1_DESCRIPTION") is None
    assert MotorMap(told, G1).joints == MotorMap(sturdy, G1).joints


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"slots": {}}, "hardware: .* must be under 'joints' or 'held'"),
        ({"held": ()}, "waist_pitch_joint"),
        ({"imu": "torso_link"}, "the IMU in torso_link"),
        ({"bus": "unitree_go"}, "unitree_go"),
        ({"slots": {"left_knee_joint": 4, "left_ankle_pitch_joint": 3}}, "left_(knee|ankle_pitch)_joint has motor"),
        ({"slots": {"left_knee_joint": 0}}, "must be different numbers"),
        ({"slots": {"left_knee_joint": -1}}, "must be different numbers"),
    ],
)
def test_hardware_that_is_not_the_robots_is_refused(sturdy: Manifest, change: dict, named: str) -> None:
    hardware = default_hardware(G1, sturdy.joint_names, sturdy.robot)
    if change.get("slots"):
        change = {"slots": {**hardware.slots, **change["slots"]}}
    with pytest.raises(ManifestError, match=named):
        MotorMap(dataclasses.replace(sturdy, hardware=dataclasses.replace(hardware, **change)), G1)


def test_robots_of_another_protocol_are_refused(go2: Manifest) -> None:
    with pytest.raises(ManifestError, match="speaks no protocol"):
        find_robot(load_manifest(POLICIES / "go1_walk"))  # the Go2's joint names
    with pytest.raises(ManifestError, match="--robot g1 has no joint"):
        find_robot(go2, "g1")
    assert find_robot(go2) is GO2


# Frames


def test_frames_of_a_turned_and_tilted_robot(sturdy: Manifest) -> None:
    """Angular velocity and gravity of the state message against Pinocchio's, for a base that turns about all axes."""
    pin = pytest.importorskip("pinocchio")
    world = World("g1_sturdy")
    generator = np.random.default_rng(1)
    for _ in range(5):
        quaternion = generator.normal(size=4)
        quaternion /= np.linalg.norm(quaternion)  # w first
        world.robot.data.qpos[3:7] = quaternion
        world.robot.data.qvel[3:6] = generator.normal(size=3)
        mujoco.mj_forward(world.robot.model, world.robot.data)
        reading = world.motors.read(world.robot.state())
        model = pin.Model()
        model.addJoint(0, pin.JointModelFreeFlyer(), pin.SE3.Identity(), "base")
        data = model.createData()
        # Pinocchio has w last, and a free flyer's velocity in its own frame; the body's spatial velocity tells it
        pin.forwardKinematics(model, data, np.r_[0.0, 0.0, 0.0, np.roll(quaternion, -1)], np.r_[0.0, 0.0, 0.0, 0, 0, 0])
        rotation = data.oMi[1].rotation
        assert reading.projected_gravity == pytest.approx(rotation.T @ [0.0, 0.0, -1.0], abs=1e-6)
        assert reading.tilt == pytest.approx(float(np.arccos(rotation[2, 2])), abs=1e-5)
        world_velocity = np.zeros(6)
        mujoco.mj_objectVelocity(
            world.robot.model,
            world.robot.data,
            mujoco.mjtObj.mjOBJ_BODY,
            world.robot.model.body(1).id,
            world_velocity,
            0,
        )
        assert reading.base_ang_vel == pytest.approx(rotation.T @ world_velocity[:3], abs=1e-6)


def test_a_robot_that_leans_forward() -> None:
    """By hand: 0.3 rad about y lets gravity point to the robot's front; w comes first."""
    world = World("g1_sturdy")
    world.robot.data.qpos[3:7] = [np.cos(0.15), 0.0, np.sin(0.15), 0.0]
    state = world.robot.state()
    assert state["imu_state"]["quaternion"] == pytest.approx([np.cos(0.15), 0.0, np.sin(0.15), 0.0])
    reading = world.motors.read(state)
    assert reading.projected_gravity == pytest.approx([np.sin(0.3), 0.0, -np.cos(0.3)], abs=1e-6)
    assert reading.tilt == pytest.approx(0.3, abs=1e-5)


# The way to a walk


def test_it_stands_up_without_a_jump() -> None:
    """Gains rise from zero, targets begin where the joints are, the policy's first one is the pose that is held."""
    world = World("g1_sturdy")
    world.run(STAND_UP, 3.5)
    phases = [step.phase for step in world.steps]
    assert [phase for i, phase in enumerate(phases) if i == 0 or phases[i - 1] is not phase] == list(Phase)[:4]
    moving = [step for step in world.steps if step.phase is Phase.MOVE]
    assert len(moving) == pytest.approx(limits.MOVE_TIME / 0.02, abs=2)
    assert not moving[0].targets.stiffness.any()
    np.testing.assert_allclose(moving[0].targets.joint_pos, moving[0].reading.joint_pos)
    rising = np.array([step.targets.stiffness[0] for step in moving])
    assert (np.diff(rising) >= 0.0).all() and rising[-1] == world.motors.stiffness[0]
    first = phases.index(Phase.POLICY)
    np.testing.assert_allclose(world.steps[first].targets.joint_pos, world.steps[first - 1].targets.joint_pos)
    assert world.steps[first].restarted
    for one, other in zip(world.steps[first : first + 4], world.steps[first - 1 :], strict=False):
        assert np.abs(one.targets.joint_pos - other.targets.joint_pos).max() < 0.1
    assert world.record.fell_at is None and world.controller.fault == ""
    assert world.robot.tilt < 0.2


@pytest.mark.parametrize("mode_machine", [6, 5], ids=["27 joints", "29 joints"])
def test_it_walks_as_without_a_network(sturdy: Manifest, mode_machine: int) -> None:
    """0.5 m/s for 20 s: within 0.02 m/s of sim2sim's figure."""
    world = World("g1_sturdy", mode_machine)
    found = world.run(WALK, 23.0)
    assert (found["measured"], found["fell_at"]) == (pytest.approx(20.0), None)
    expected = sim2sim_speed(sturdy, "g1_sturdy", (0.5, 0.0, 0.0, 0.74), 20.0)
    assert found["mean_vx"] == pytest.approx(expected, abs=0.02)
    assert world.robot.refused == {}


def test_a_go2_walks() -> None:
    world = World("go2_walk")
    found = world.run(f"{STAND_UP}; 3 stick ly=0.5; 3 measure", 8.0)
    assert found["fell_at"] is None
    assert found["mean_vx"] == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(
    ("faults", "script"),
    [
        *((Faults(delay=delay), "") for delay in (0.004, 0.02, 0.04)),
        (Faults(loss=0.2), ""),
        (Faults(), "4.5 silence 0.3"),
        (Faults(), "4.5 push 250 0; 5.5 push 0 250"),
        (Faults(), "4.2 lift; 5.5 lower; 6.5 release"),
    ],
    ids=["4 ms", "20 ms", "40 ms", "20 % lost", "300 ms of silence", "pushed", "lifted and put down"],
)
def test_what_a_walk_survives(faults: Faults, script: str) -> None:
    world = World("g1_sturdy", 6)
    walk = "0 lower; 0.02 press start; 2.2 press A; 3.6 release; 3.6 stick ly=0.4166667"  # with 40 ms, not sooner
    found = world.run(f"{walk}; {script}", 7.5, faults, imu_noise=0.1)
    assert found["fell_at"] is None
    assert (world.controller.phase, world.controller.fault) == (Phase.POLICY, "")


# What ends it


@pytest.mark.parametrize(
    ("script", "fault", "within"),
    [
        ("3 press select", "emergency stop", 0.01),
        ("3 press L2 B", "emergency stop", 0.01),
        ("3 break joint_pos=nan", "not finite", 0.01),
        ("3 break quaternion=0", "not finite, or a quaternion", 0.01),
        ("3 machine 4", "mode_machine 4 lacks 6 joints", 0.01),
        ("3 machine 3", "mode_machine changed to 3", 0.01),
        ("3 silence 0.5", "no state for 0.5", 0.51),
        ("3 push 900 0 0.4", "tilt of", 2.0),
    ],
)
def test_what_lets_the_robot_down(script: str, fault: str, within: float) -> None:
    """Damping, soon enough, and for good: sent again and again."""
    world = World("g1_sturdy", 6)
    if "machine" in script:  # commands carry what was stated first, and the simulated robot compares
        world.robot.refused = _Forgiving()
    world.run(f"{STAND_UP}; {script}; 4.6 press start; 4.8 press A", 5.0)
    assert world.controller.phase is Phase.DAMPING
    assert fault in world.controller.fault
    damped = next(step.time for step in world.steps if step.phase is Phase.DAMPING)
    assert 3.0 <= damped <= 3.0 + within + 0.02
    last = world.lockstep.answer(world.robot.state())
    assert last is not None
    motors = last["motor_cmd"][[world.motors.hardware.slots[joint] for joint in world.motors.joints]]
    assert not motors["kp"].any() and (motors["kd"] == G1.damping).all()


class _Forgiving(dict):
    def __missing__(self, key: str) -> int:
        return 0


def test_a_wrong_machine_is_never_sent_a_command(sturdy: Manifest) -> None:
    world = World("g1_sturdy", 4)
    found = world.run("0.1 press start", 1.0)
    assert found["commands"] == 0
    assert "mode_machine 4 lacks 6 joints" in world.controller.fault


def test_states_with_a_wrong_checksum_are_none() -> None:
    world = World("g1_sturdy")
    wrong = 0

    def spoil(state: np.ndarray) -> np.ndarray:
        nonlocal wrong
        if world.robot.tick > 3000:
            wrong += 1
            state["crc"] += 1
        return state

    world.on_state = spoil
    found = world.run(STAND_UP, 3.5)
    assert wrong and found["commands"] == 1500
    for now in np.arange(3.01, 3.6, 0.02).round(3).tolist():  # steps go on, with nothing to see
        world.controller.step(now)
        targets = world.controller.targets(now)
        assert targets is not None
        assert bool(targets.stiffness.any()) == (now <= 3.0 + limits.STALE_TIME), now
        assert (world.controller.phase is Phase.DAMPING) == (now > 3.0 + limits.BLIND_TIME), now
    assert "no state for" in world.controller.fault


def test_commands_with_a_wrong_checksum_or_machine_do_nothing() -> None:
    world = World("g1_sturdy")
    motors = world.motors
    good = Targets(motors.default_pos, motors.stiffness, motors.damping)
    command = motors.write(good, 5)
    command["crc"] ^= 1
    assert not world.robot.obey(command)
    assert not world.robot.obey(motors.write(good, 6))
    assert dict(world.robot.refused) == {"checksum": 1, "mode_machine": 1}
    assert world.robot.posture == "none"
    assert world.robot.obey(motors.write(good, 5)) and world.robot.posture == "driven"


class _Breaking(ZeroPolicy):
    """Stands in for a network that goes wrong after some steps."""

    def __init__(self, manifest: Manifest, what: object) -> None:
        super().__init__(manifest)
        self.what, self.left = what, 10

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        self.left -= 1
        if self.left > 0:
            return super().__call__(observation)
        if isinstance(self.what, Exception):
            raise self.what
        return np.full(12, np.nan)


@pytest.mark.parametrize("what", [None, RuntimeError("out of memory")])
def test_a_policy_that_fails(sturdy: Manifest, what: object) -> None:
    world = World("g1_sturdy", policy=_Breaking(sturdy, what))
    world.run("0.1 press start; 2.2 press A", 3.0)
    assert "the policy failed" in world.controller.fault
    assert not np.isnan(world.robot.command["motor_cmd"]["q"]).any()
    assert world.robot.posture == "damping"


def test_a_policy_that_hangs_does_not_look_healthy(sturdy: Manifest) -> None:
    """States go on arriving, steps do not: after 0.1 s the sender damps, and goes on to."""
    world = World("g1_sturdy")
    controller = world.controller
    world.run("0.1 press start", 2.5)
    reading = world.motors.read(world.robot.state())
    for now in np.arange(2.501, 2.7, 0.002).round(3).tolist():
        controller.receive(reading, now)
        targets = controller.targets(now)
        assert targets is not None
        assert bool(targets.stiffness.any()) == (now <= 2.5 + limits.LATE_TIME), now
    assert "no step of the policy" in controller.fault


class _Wires:
    """Stands in for a network: a robot's state every 2 ms, and all commands kept."""

    def __init__(self, world: World) -> None:
        self.world, self.commands, self.sent, self.broken, self.bad_states = world, self, [], False, 0

    def wait(self, timeout: float) -> np.ndarray:
        time.sleep(timeout)
        if self.broken:
            raise OSError("no such device")
        self.world.robot.step()
        return self.world.robot.state()

    def send(self, command: np.ndarray) -> None:
        self.sent.append(command)
        self.world.robot.obey(command)

    def check_others(self) -> None:
        pass


def _start_in_real_time(
    world: World, on_step: Callable[[Step], None]
) -> tuple[_Wires, threading.Thread, threading.Event]:
    wires, stop = _Wires(world), threading.Event()

    def run() -> None:
        with contextlib.suppress(OSError):
            run_in_real_time(world.controller, cast("Link", wires), 0.02, stop, on_step)

    thread = threading.Thread(target=run)
    thread.start()
    return wires, thread, stop


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_log_that_cannot_be_written_damps_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the policy's thread ends the program, and the other thread damps the motors before it does."""
    monkeypatch.setattr(runner, "DAMPING_TIME", 0.3)
    world = World("g1_sturdy")

    def on_step(step: Step) -> None:
        if step.phase is Phase.MOVE and step.targets.stiffness.any():
            raise OSError("no space left on device")

    wires, thread, _ = _start_in_real_time(world, on_step)
    _wait_until(lambda: world.controller.has_state)
    world.controller.press("start")
    thread.join(60.0)
    assert not thread.is_alive()
    assert "no space left" in world.controller.fault
    assert world.robot.posture == "damping" and len(wires.sent) > 10


def test_a_sender_that_fails_goes_on_with_damping() -> None:
    world = World("g1_sturdy")
    wires, thread, stop = _start_in_real_time(world, lambda step: None)
    _wait_until(lambda: world.controller.has_state)
    world.controller.press("start")
    _wait_until(lambda: world.robot.posture == "driven")
    wires.broken = True
    _wait_until(lambda: world.controller.phase is Phase.DAMPING)
    wires.broken = False
    _wait_until(lambda: world.robot.posture == "damping")
    assert "no such device" in world.controller.fault
    stop.set()
    thread.join(60.0)
    assert not thread.is_alive()


def test_targets_stay_within_the_motors_effort() -> None:
    """A target a radian away, at 100 N m/rad with 88 N m, comes as near as 0.88 rad."""
    world = World("g1_sturdy")
    motors = world.motors
    here = np.linspace(-0.3, 0.3, len(motors.joints))
    for sign in (1.0, -1.0):
        limited = motors.limit(Targets(here + sign * 5.0, motors.stiffness, motors.damping), here)
        np.testing.assert_allclose(motors.stiffness * (limited.joint_pos - here), sign * motors.effort_limit)
    near = Targets(here + 0.01, motors.stiffness, motors.damping)
    np.testing.assert_allclose(motors.limit(near, here).joint_pos, near.joint_pos)


# The log, and scripts


def test_a_log_is_replayed(tmp_path: Path) -> None:
    """The policy on what the robot measured does the same again, over a silence that made it forget."""
    world = World("g1_sturdy", 6)
    world.run(f"{STAND_UP}; 3.2 silence 0.3", 4.0)
    log = RunLog(tmp_path / "run", world.motors.joints, 12, {"policy": "g1_sturdy"})
    for step in world.steps:
        log.add(step)
    log.close()
    about, records = load_log(tmp_path / "run")
    assert (about["policy"], len(records)) == ("g1_sturdy", len(world.steps))
    assert records["restarted"][records["phase"] == 3].sum() == 2
    assert records["target"][-1] == pytest.approx(world.steps[-1].targets.joint_pos)
    from himloco_lab.deployment.policy import OnnxPolicy

    policy = OnnxPolicy(world.manifest, find_policy(POLICIES / "g1_sturdy")[1])
    assert replay(world.manifest, policy, records) == 0.0
    assert replay(world.manifest, ZeroPolicy(world.manifest), records) > 0.1
    (tmp_path / "cut").write_bytes((tmp_path / "run").read_bytes()[:-100])
    assert len(load_log(tmp_path / "cut")[1]) == len(records) - 1


@pytest.mark.parametrize("script", ["start", "1 dance", "x press A", "1"])
def test_a_script_that_cannot_be_read(script: str) -> None:
    with pytest.raises(ScriptError, match=r"must be a time|is none of"):
        read_script(script)


@pytest.mark.parametrize("script", ["0 press Z", "0 stick qx=1", "0 stick ly", "0 push 1", "0 silence", "0 machine x"])
def test_a_script_that_cannot_be_followed(script: str) -> None:
    with pytest.raises(ScriptError, match="wants"):
        World("g1_sturdy").run(script, 0.01)


def test_the_gantry_carries_a_limp_robot() -> None:
    """Without any command it hangs, upright, its feet above the ground."""
    robot = SimulatedRobot(G1)
    for _ in range(1000):
        robot.step()
    assert robot.tilt < 0.5
    assert float(robot.data.qvel[:3] @ robot.data.qvel[:3]) < 0.01
