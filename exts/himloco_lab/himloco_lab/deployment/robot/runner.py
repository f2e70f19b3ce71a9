# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A controller on a network: with the clock of this computer, or in lockstep with a simulator that waits."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from . import dds
from .controller import Controller, Phase, Step
from .messages import MessageError
from .robots import Reading, UnitreeRobot

SEND_PERIOD = 0.002
"""Longest time between two commands [s]: 500 Hz, as Unitree's own examples send."""
LISTEN_TIME = 0.5
"""How long to listen for other senders before the first command [s]."""
DAMPING_TIME = 2.0
"""How long the motors are damped after Ctrl-C or SIGTERM before this program ends [s]."""
_OTHERS_PERIOD = 0.02  # [s]
_SWITCH_INTERVAL = 2e-4  # [s] between the threads of this process; Python's own 5 ms is longer than a command's period


@dataclass
class Timing:
    """How a run kept time: what was measured, in seconds."""

    steps: list[float] = field(default_factory=list)
    """Durations of the policy's steps."""
    periods: list[float] = field(default_factory=list)
    """Times between the beginnings of two steps."""
    answers: list[float] = field(default_factory=list)
    """From the arrival of a state to the command that follows it."""
    bad_states: int = 0
    """States whose checksum was wrong."""

    def report(self) -> dict[str, float]:
        """Return medians and 99th percentiles in ms."""
        found: dict[str, float] = {"bad_states": self.bad_states}
        for name, values in (("step", self.steps), ("period", self.periods), ("answer", self.answers)):
            if values:
                p50, p99 = np.percentile(values, (50, 99)) * 1e3
                found |= {f"{name}_ms_p50": round(float(p50), 3), f"{name}_ms_p99": round(float(p99), 3)}
        return found


class Link:
    """A controller's side of the network."""

    def __init__(self, robot: UnitreeRobot, domain: int, interface: str, *, trusting: bool = False) -> None:
        """Join the domain; nothing is sent yet.

        Args:
            robot: The robot.
            domain: Its domain.
            interface: Network interface that leads there.
            trusting: Whether to take states without a checksum, as some simulators send them.

        Raises:
            LinkError: If the domain cannot be joined.
        """
        self.robot, self.trusting = robot, trusting
        self.participant = dds.open_participant(domain, interface)
        self.states = dds.Subscriber(self.participant, dds.LOW_STATE, robot.low_state)
        self.commands = dds.Publisher(self.participant, dds.LOW_CMD, robot.low_cmd)
        self.others = dds.Subscriber(self.participant, dds.LOW_CMD, robot.low_cmd, from_others=True)
        self.where = f"domain {domain} on {interface}"
        self.bad_states = 0

    def wait(self, timeout: float) -> np.ndarray | None:
        """Return the newest state with a right checksum, for which to wait at most *timeout* [s], or None."""
        try:
            message = self.states.wait(timeout)
        except MessageError:
            self.bad_states += 1
            return None
        if message is None or self.trusting or self.robot.low_state.is_sound(message):
            return message
        self.bad_states += 1
        return None

    def prepare(self, controller: Controller, *, timeout: float, release: bool) -> list[str]:
        """Hear the robot, make sure that nobody else drives it, and have its own controller let go.

        Args:
            controller: What will drive it.
            timeout: How long to wait for the robot [s].
            release: Whether to ask for the motors.

        Returns:
            Names of the robot's own controllers that were active.

        Raises:
            LinkError: If the robot is not heard, is not the policy's, or is driven by somebody else.
        """
        end = time.monotonic() + timeout
        message = None
        while message is None and time.monotonic() < end:
            message = self.wait(0.1)
        if message is None:
            heard = f"{self.bad_states} states with a wrong checksum" if self.bad_states else "no state"
            raise dds.LinkError(f"{heard} on {dds.LOW_STATE} in {self.where} for {timeout:g} s: is this the interface?")
        refused = controller.motors.check_machine(controller.motors.read(message).mode_machine)
        if refused is not None:
            raise dds.LinkError(refused)
        end = time.monotonic() + LISTEN_TIME
        while time.monotonic() < end:
            self.check_others()
            time.sleep(_OTHERS_PERIOD)
        return dds.MotionSwitcher(self.participant).release() if release else []

    def check_others(self) -> None:
        """Raise a LinkError if somebody else has sent commands since the last call."""
        if self.others.take() is not None:
            raise dds.LinkError(f"another program sends commands on {dds.LOW_CMD} in {self.where}: end it first")


class Lockstep:
    """Answers the states of a simulator that waits for the answers, by the simulator's clock."""

    def __init__(self, controller: Controller, policy_dt: float, on_step: Callable[[Step], None] | None = None) -> None:
        """Begin with the first state.

        Args:
            controller: What drives the robot.
            policy_dt: Time between two steps of the policy [s].
            on_step: Is told every step.
        """
        self.controller, self.timing = controller, Timing()
        self.now = 0.0
        """Time of the last state [s]."""
        self._step_ticks, self._on_step = round(policy_dt * 1000), on_step
        self._due = self._last_tick = -1
        self._answer: np.ndarray | None = None

    def answer(self, message: np.ndarray) -> np.ndarray | None:
        """Return the command for a state, None if there is none; a state that is repeated gets the same once more."""
        reading = self.controller.motors.read(message)
        if reading.tick == self._last_tick and self._answer is not None:
            return self._answer
        self._last_tick, self.now = reading.tick, reading.tick * 1e-3
        self.controller.receive(reading, self.now)
        if reading.tick >= self._due:
            on_time = 0 <= reading.tick - self._due < self._step_ticks
            self._due = (self._due if on_time else reading.tick) + self._step_ticks
            before = time.monotonic()
            step = self.controller.step(self.now)
            self.timing.steps.append(time.monotonic() - before)
            if step is not None and self._on_step is not None:
                self._on_step(step)
        self._answer = self.controller.message(self.now, echo=reading.tick)
        return self._answer


def run_in_lockstep(
    controller: Controller, link: Link, policy_dt: float, stop: threading.Event, on_step: Callable[[Step], None]
) -> Timing:
    """Answer a simulator until it is told to stop: with damping first, for :data:`DAMPING_TIME`.

    Args:
        controller: What drives the robot.
        link: The network.
        policy_dt: Time between two steps of the policy [s].
        stop: Ends the run.
        on_step: Is told every step.
    """
    lockstep = Lockstep(controller, policy_dt, on_step)
    end, heard = float("inf"), time.monotonic()
    while lockstep.now < end:
        message = link.wait(0.05)
        if stop.is_set() and end == float("inf"):
            controller.let_down("ended")
            end = lockstep.now + DAMPING_TIME
        if message is None:
            if stop.is_set() and time.monotonic() - heard > DAMPING_TIME:
                break  # the simulator has ended
            continue
        heard = time.monotonic()
        try:
            link.check_others()
        except dds.LinkError as error:
            controller.let_down(str(error))
        answer = lockstep.answer(message)
        if answer is not None:
            link.commands.send(answer)
            lockstep.timing.answers.append(time.monotonic() - heard)
    lockstep.timing.bad_states = link.bad_states
    return lockstep.timing


class _Sender(threading.Thread):
    """Takes states and sends commands, whatever the policy does: a thread that lives on when the policy hangs."""

    def __init__(self, controller: Controller, link: Link, timing: Timing, echo: bool) -> None:
        super().__init__(name="sender", daemon=True)
        self._controller, self._link, self._timing, self._echo = controller, link, timing, echo
        self._look_at = 0.0
        self.ending = threading.Event()

    def run(self) -> None:
        while not self.ending.is_set():
            try:
                self._exchange()
            except Exception as error:  # whatever it is, motors that are damped are better than none that are told
                self._controller.let_down(f"the thread that sends failed: {error}")
                time.sleep(SEND_PERIOD)

    def _exchange(self) -> None:
        controller, link = self._controller, self._link
        message = link.wait(SEND_PERIOD)
        now = time.monotonic()
        tick = 0
        if message is not None:
            reading: Reading = controller.motors.read(message)
            tick = reading.tick
            controller.receive(reading, now)
        command = controller.message(now, tick if self._echo else 0)
        if command is not None:
            link.commands.send(command)
            if message is not None:
                self._timing.answers.append(time.monotonic() - now)
        if now >= self._look_at:
            self._look_at = now + _OTHERS_PERIOD
            link.check_others()


def run_in_real_time(
    controller: Controller,
    link: Link,
    policy_dt: float,
    stop: threading.Event,
    on_step: Callable[[Step], None],
    *,
    echo: bool = False,
) -> Timing:
    """Step the policy by deadlines, and send commands from a thread of its own.

    Args:
        controller: What drives the robot.
        link: The network.
        policy_dt: Time between two steps of the policy [s].
        stop: Ends the run: with damping first, for :data:`DAMPING_TIME`.
        on_step: Is told every step.
        echo: Whether commands tell the state that they follow, for a simulator that measures.
    """
    timing = Timing()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    sender = _Sender(controller, link, timing, echo)
    sender.start()
    due = last = time.monotonic()
    end = float("inf")
    try:
        while time.monotonic() < end:
            if stop.is_set() and end == float("inf"):
                controller.let_down("ended")
                end = time.monotonic() + DAMPING_TIME
            begun = time.monotonic()
            step = controller.step(begun)
            done = time.monotonic()
            if step is not None:
                if step.phase is not Phase.DAMPING:
                    timing.steps.append(done - begun)
                    timing.periods.append(begun - last)
                on_step(step)
            last = begun
            due = max(due + policy_dt, time.monotonic() - policy_dt)  # steps that were missed are not caught up with
            time.sleep(max(0.0, due - time.monotonic()))
    except BaseException as error:
        controller.let_down(f"this program failed: {error}")
        time.sleep(DAMPING_TIME)  # the sender goes on
        raise
    finally:
        sender.ending.set()
        sender.join(1.0)
        sys.setswitchinterval(interval)
    timing.bad_states = link.bad_states
    return timing
