# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The way from zero torque over a stance and a walk to damping, and all that ends it early.

Nothing here waits, sleeps, or knows a network: every method is told the time, so that a test can say what time it is.
:class:`Controller` has three inputs of different rates: states of the robot (500 Hz), steps of the policy (50 Hz), and
requests for the next command (400 Hz or more).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from himloco_lab.deployment.manifest import Manifest
from himloco_lab.deployment.observations import ObservationBuilder
from himloco_lab.deployment.policy import Policy

from .remote import Operator, Remote
from .robots import MotorMap, Reading, Targets

Array = np.ndarray

MOVE_TIME = 2.0
"""From where the robot is to the default pose [s]."""
GAIN_TIME = 0.5
"""In which the gains rise from zero at the beginning of that [s]."""
BLEND_TIME = 0.2
"""In which the policy's targets take over from the pose that is held [s]; the first one is that pose."""
LARGEST_TILT = 0.9273
"""Beyond which the robot is let down [rad]: where a robot counts as fallen in simulation (arccos 0.6)."""
STALE_TIME = 0.2
"""Age of the last state beyond which the motors are damped [s]."""
BLIND_TIME = 0.4
"""How long a silence the policy goes on after, if the robot is still upright [s]; a longer one ends the run."""
LATE_TIME = 0.1
"""Age of the policy's last step beyond which the run ends [s]: five steps."""


class Phase(StrEnum):
    """What the robot is doing."""

    ZERO_TORQUE = "zero torque"
    MOVE = "moving to the default pose"
    STAND = "standing"
    POLICY = "policy"
    DAMPING = "damping"


@dataclass(frozen=True)
class Step:
    """What a step of the policy saw and did: what a log keeps."""

    time: float
    """[s]"""
    phase: Phase
    reading: Reading
    command: Array
    """vx, vy [m/s], yaw rate [rad/s], height [m]; shape ``[4]``."""
    action: Array
    """Raw output of the policy, zeros in other phases; shape ``[A]``."""
    targets: Targets
    restarted: bool
    """Whether the history was filled with this reading alone."""


CommandSource = Callable[[Operator, Remote], Array]
"""Returns vx, vy, yaw rate and height; what :meth:`.Operator.command` does unless a keyboard has a say."""


class Controller:
    """Runs a policy on a robot, and lets the robot down when something is not as it must be.

    States and requests for commands come from one thread, steps from another.
    """

    def __init__(
        self, manifest: Manifest, policy: Policy, motors: MotorMap, source: CommandSource | None = None
    ) -> None:
        """Begin with zero torque.

        Args:
            manifest: The policy's manifest.
            policy: The policy.
            motors: The robot's motors.
            source: Who says where to walk; the remote control's sticks when None.

        Raises:
            ManifestError: If the policy sees something that a robot does not measure.
        """
        self.motors, self.policy = motors, policy
        self.operator = Operator(manifest.command)
        self.phase, self.fault = Phase.ZERO_TORQUE, ""
        self._source = source or Operator.command
        self._builder = ObservationBuilder(manifest)
        self._lock = threading.Lock()
        action, names = manifest.action, manifest.joint_names
        self._action_ids = np.array([names.index(name) for name in action.joints])
        self._action_scale, self._action_offset = np.asarray(action.scale), np.asarray(action.offset)
        self._action_clip = math.inf if action.clip is None else action.clip
        self._last_action = np.zeros(len(action.joints))
        self._reading: Reading | None = None
        self._read_at = self._stepped_at = self._phase_since = -math.inf
        self._must_restart = True
        self._blend_from: Array | None = None
        count = len(motors.joints)
        nothing = np.zeros(count)
        self._targets = Targets(nothing, nothing, nothing)
        self._damped = Targets(nothing, nothing, np.full(count, motors.robot.damping))
        self._start_pos = nothing
        self._pressed: set[str] = set()

    def let_down(self, reason: str) -> None:
        """Damp the motors from now on; the first reason stays."""
        with self._lock:
            self._let_down(reason)

    def _let_down(self, reason: str) -> None:
        if self.phase is not Phase.DAMPING:
            self.phase, self.fault = Phase.DAMPING, reason

    def press(self, button: str) -> None:
        """Press a button of the remote control from elsewhere, such as a keyboard."""
        self._pressed.add(button)

    @property
    def has_state(self) -> bool:
        """Whether the robot has been heard."""
        return self._reading is not None

    def receive(self, reading: Reading, now: float) -> None:
        """Take a state of the robot whose checksum is right.

        Args:
            reading: What it says.
            now: Time at which it came [s].
        """
        with self._lock:
            first = self._reading is None
            refused = self.motors.check_machine(reading.mode_machine)
            if refused is not None:
                return self._let_down(refused)
            if self._reading is not None and reading.mode_machine != self._reading.mode_machine:
                return self._let_down(f"mode_machine changed to {reading.mode_machine}")
            if not reading.is_finite:
                return self._let_down("the state holds a number that is not finite, or a quaternion that is none")
            silence = now - self._read_at
            if not first and self._is_driven and silence > BLIND_TIME:
                self._let_down(f"no state for {silence:.2f} s")
            elif silence > STALE_TIME:
                self._must_restart = True  # what was seen before says nothing of now
            self._reading, self._read_at = reading, now
            if Remote.from_bytes(reading.remote).is_emergency:
                self._let_down("emergency stop on the remote control")
            elif self._is_driven and reading.tilt > LARGEST_TILT:
                self._let_down(f"tilt of {reading.tilt:.2f} rad")

    @property
    def _is_driven(self) -> bool:
        return self.phase in (Phase.MOVE, Phase.STAND, Phase.POLICY)

    def step(self, now: float) -> Step | None:
        """Take one step of the policy, or of what comes before it.

        Args:
            now: The time [s].

        Returns:
            What it saw and did, or None as long as there is no fresh state.
        """
        with self._lock:
            reading, phase = self._reading, self.phase
            self._stepped_at = now
            if reading is None or (now - self._read_at > STALE_TIME and phase is not Phase.DAMPING):
                return None
            remote = Remote.from_bytes(reading.remote)
            pressed = self.operator.pressed(remote) | self._pressed
            self._pressed.clear()
            if "select" in pressed:
                self._let_down("emergency stop")
            self._change_phase(pressed, reading, now)
            phase = self.phase
            restarted, self._must_restart = self._must_restart, False
        command = self._source(self.operator, remote)
        if phase is Phase.POLICY:
            try:
                targets = self._policy_targets(reading, command, restarted, now)
            except Exception as error:
                self.let_down(f"the policy failed: {error}")
                targets = self._damped
        else:
            targets = self._other_targets(phase, reading, now)
        with self._lock:
            self._targets = targets if self.phase is not Phase.DAMPING else self._damped
            return Step(now, self.phase, reading, command, self._last_action, self._targets, restarted)

    def _change_phase(self, pressed: frozenset[str] | set[str], reading: Reading, now: float) -> None:
        if self.phase is Phase.ZERO_TORQUE and "start" in pressed:
            self.phase, self._phase_since, self._start_pos = Phase.MOVE, now, reading.joint_pos
        elif self.phase is Phase.MOVE and now - self._phase_since >= MOVE_TIME:
            self.phase, self._phase_since = Phase.STAND, now
        elif self.phase is Phase.STAND and "A" in pressed:
            self.phase, self._phase_since, self._must_restart = Phase.POLICY, now, True
            self._blend_from = self._targets.joint_pos

    def _other_targets(self, phase: Phase, reading: Reading, now: float) -> Targets:
        """Return what the motors are asked for without the policy."""
        motors, nothing = self.motors, np.zeros(len(self.motors.joints))
        if phase is Phase.ZERO_TORQUE:
            return Targets(reading.joint_pos, nothing, nothing)
        if phase is Phase.DAMPING:
            return self._damped
        since = now - self._phase_since if phase is Phase.MOVE else math.inf
        way, gain = min(since / MOVE_TIME, 1.0), min(since / GAIN_TIME, 1.0)
        wanted = self._start_pos + way * (motors.default_pos - self._start_pos)
        return Targets(wanted, gain * motors.stiffness, gain * motors.damping)

    def _policy_targets(self, reading: Reading, command: Array, restarted: bool, now: float) -> Targets:
        """Run the policy and return what it asks the motors for; joints that it does not move hold their default."""
        if restarted:
            self._builder.reset()
            self._last_action = np.zeros_like(self._last_action)
        observation = self._builder.observe(self.motors.state(reading), command, self._last_action)
        action = self.policy(observation)
        if not np.isfinite(action).all():
            raise ValueError("an action is not finite")
        self._last_action = action
        wanted = self.motors.default_pos.copy()
        wanted[self._action_ids] = self._action_offset + self._action_scale * np.clip(
            action, -self._action_clip, self._action_clip
        )
        share = min((now - self._phase_since) / BLEND_TIME, 1.0)
        if share < 1.0 and self._blend_from is not None:
            wanted = self._blend_from + share * (wanted - self._blend_from)
        return Targets(wanted, self.motors.stiffness, self.motors.damping)

    def targets(self, now: float) -> Targets | None:
        """Return what the motors are to be asked for now, or None before the robot was heard.

        A policy that is late ends the run here, and a state that is stale damps the motors here: in the thread that
        sends, which lives on when the other one hangs.

        Args:
            now: The time [s].
        """
        with self._lock:
            reading = self._reading
            if reading is None:
                return None
            if self._is_driven and now - self._stepped_at > LATE_TIME:
                self._let_down(f"no step of the policy for {now - self._stepped_at:.2f} s")
            silence = now - self._read_at
            if self._is_driven and silence > BLIND_TIME:
                self._let_down(f"no state for {silence:.2f} s")
            if self.phase is Phase.DAMPING or (self._is_driven and silence > STALE_TIME):
                return self._damped
            return self.motors.limit(self._targets, reading.joint_pos)

    def message(self, now: float, echo: int = 0) -> Array | None:
        """Return the command message to send now, or None before the robot was heard.

        Args:
            now: The time [s].
            echo: The tick that is answered, for a simulator that waits for it; 0 on a robot.
        """
        targets = self.targets(now)
        if targets is None or self._reading is None:
            return None
        return self.motors.write(targets, self._reading.mode_machine, echo)
