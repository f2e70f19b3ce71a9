# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The robot's network: topics over DDS, and the service that releases the robot's own controller.

Nothing is sent before :func:`open_participant`, which is told domain and interface and takes neither from the
environment. Unitree's robots are in domain 0.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from cyclonedds.core import InstanceState, ReadCondition, SampleState, ViewState, WaitSet
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.idl import make_idl_struct, types
from cyclonedds.idl.annotations import autoid, final
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

from .messages import TYPE_HASHES, Struct, idl_class, type_hashes, wrap

LOW_CMD, LOW_STATE, REMOTE = "rt/lowcmd", "rt/lowstate", "rt/wirelesscontroller"

ROBOT_DOMAIN = 0
LARGEST_DOMAIN = 100
"""From 101 on, a domain's ports are among those that Linux gives to any program."""

LOOPBACK = "lo"


class LinkError(RuntimeError):
    """The network does not give what is needed: names the culprit and the remedy."""


@dataclass
class Participant:
    """What all topics of this process hang on."""

    domain: Domain
    entity: DomainParticipant


def open_participant(domain: int, interface: str) -> Participant:
    """Join a domain on one network interface; on loopback by unicast alone.

    Raises:
        LinkError: If there is no such interface, or the domain cannot be joined.
    """
    unicast = interface == LOOPBACK
    general = (
        f"<General><Interfaces><NetworkInterface name={quoteattr(interface)}"
        f' multicast="{"false" if unicast else "default"}"/></Interfaces>'
        f"<AllowMulticast>{'false' if unicast else 'default'}</AllowMulticast></General>"
    )
    discovery = (
        "<Discovery><ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>20</MaxAutoParticipantIndex>"
        '<Peers><Peer address="127.0.0.1"/></Peers></Discovery>'
        if unicast
        else ""
    )
    config = f'<CycloneDDS><Domain Id="any">{general}{discovery}</Domain></CycloneDDS>'
    try:
        opened = Domain(domain, config)
        return Participant(opened, DomainParticipant(domain))
    except Exception as error:
        raise LinkError(
            f"domain {domain} on {interface} cannot be joined ({error}): name an interface of ip -br link"
        ) from error


def _topic(participant: Participant, name: str, idl: type[Any]) -> Topic:
    """Open a topic whose definition is Unitree's.

    Raises:
        LinkError: If it is not: announcing another one can bring a robot's own programs down.
    """
    if type_hashes(idl) != TYPE_HASHES[idl.__idl_typename__]:
        raise LinkError(
            f"{idl.__idl_typename__} is defined in another way than on the robot: install cyclonedds 11.0.1"
        )
    return Topic(participant.entity, name, idl)


class Publisher:
    """Sends one kind of message."""

    def __init__(self, participant: Participant, name: str, struct: Struct) -> None:
        """Open the topic.

        Args:
            participant: From :func:`open_participant`.
            name: The topic's name.
            struct: Its message.
        """
        self._struct, self._participant = struct, participant  # a domain ends with the last one who holds it
        self._writer = DataWriter(participant.entity, _topic(participant, name, idl_class(struct)))

    def send(self, message: np.ndarray) -> None:
        """Send a message."""
        self._writer.write(wrap(self._struct, message))

    @property
    def readers(self) -> int:
        """How many listen."""
        return len(self._writer.get_matched_subscriptions())


class Subscriber:
    """Receives one kind of message, of which only the newest is kept."""

    def __init__(self, participant: Participant, name: str, struct: Struct, *, from_others: bool = False) -> None:
        """Open the topic.

        Args:
            participant: From :func:`open_participant`.
            name: The topic's name.
            struct: Its message.
            from_others: Whether to ignore what this process itself sends.
        """
        qos = Qos(Policy.IgnoreLocal.Participant) if from_others else None
        self._participant = participant
        self._reader = DataReader(participant.entity, _topic(participant, name, idl_class(struct)), qos)
        self._fresh = ReadCondition(self._reader, ViewState.Any | SampleState.NotRead | InstanceState.Alive)
        self._waitset = WaitSet(participant.entity)
        self._waitset.attach(self._fresh)

    def take(self) -> np.ndarray | None:
        """Return the newest message that came since the last call, or None."""
        found = self._reader.take(condition=self._fresh)
        return found[-1].message if found else None

    def wait(self, timeout: float) -> np.ndarray | None:
        """Return the newest message, for which to wait at most *timeout* [s], or None."""
        message = self.take()
        if message is None and timeout > 0.0 and self._waitset.wait(int(timeout * 1e9)):
            message = self.take()
        return message

    @property
    def writers(self) -> int:
        """How many send."""
        return len(self._reader.get_matched_publications())


def _service_type(name: str, **fields: Any) -> Any:
    """Return a class of the services' messages, which hold texts and so have no fixed size (unitree_sdk2_python)."""
    return final(autoid("sequential")(make_idl_struct(name, f"unitree_api.msg.dds_.{name}", fields)))


_IDENTITY = _service_type("RequestIdentity_", id=types.int64, api_id=types.int64)
_LEASE = _service_type("RequestLease_", id=types.int64)
_POLICY = _service_type("RequestPolicy_", priority=types.int32, noreply=bool)
_REQUEST_HEADER = _service_type("RequestHeader_", identity=_IDENTITY, lease=_LEASE, policy=_POLICY)
REQUEST = _service_type("Request_", header=_REQUEST_HEADER, parameter=str, binary=types.sequence[types.byte])
_STATUS = _service_type("ResponseStatus_", code=types.int32)
_RESPONSE_HEADER = _service_type("ResponseHeader_", identity=_IDENTITY, status=_STATUS)
RESPONSE = _service_type("Response_", header=_RESPONSE_HEADER, data=str, binary=types.sequence[types.byte])

_SERVICE = "rt/api/motion_switcher"
_CHECK_MODE, _RELEASE_MODE = 1001, 1003

_ALL = Qos(Policy.Reliability.Reliable(duration(seconds=1)), Policy.History.KeepAll)


class MotionSwitcher:
    """Asks the robot's own controller to let go of the motors."""

    def __init__(self, participant: Participant) -> None:
        """Open the service's topics."""
        self._participant = participant
        self._writer = DataWriter(participant.entity, _topic(participant, f"{_SERVICE}/request", REQUEST), _ALL)
        self._reader = DataReader(participant.entity, _topic(participant, f"{_SERVICE}/response", RESPONSE), _ALL)

    def release(self, timeout: float = 10.0) -> list[str]:
        """Release the active controller until there is none.

        Args:
            timeout: How long to try [s].

        Returns:
            The names of the controllers that were active.

        Raises:
            LinkError: If nothing answers, or a controller stays.
        """
        end, released = time.monotonic() + timeout, []
        while time.monotonic() < end:
            answer = self._call(_CHECK_MODE)
            if answer is None:
                continue
            name = str(json.loads(answer or "{}").get("name", ""))
            if not name:
                return released
            released.append(name)
            self._call(_RELEASE_MODE)
        state = f"keeps {released[-1]} active" if released else "does not answer"
        raise LinkError(
            f"{_SERVICE} {state} for {timeout:g} s: hang the robot, press L2+R2 on its remote control, and give"
            " --no_motion_switcher"
        )

    def _call(self, api: int, timeout: float = 1.0) -> str | None:
        """Return what the service answers, or None where it does not in time."""
        identity = _IDENTITY(id=time.monotonic_ns(), api_id=api)
        header = _REQUEST_HEADER(identity=identity, lease=_LEASE(id=0), policy=_POLICY(priority=0, noreply=False))
        self._writer.write(REQUEST(header=header, parameter="{}", binary=[]))
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for answer in self._reader.take(10):
                if getattr(answer, "header", None) is not None and answer.header.identity.id == identity.id:
                    return str(answer.data) if answer.header.status.code == 0 else None
            time.sleep(0.01)
        return None


class MotionService:
    """The other end, for a simulated robot: a controller of that name is active until it is released."""

    def __init__(self, participant: Participant, active: str) -> None:
        """Open the service's topics.

        Args:
            participant: From :func:`open_participant`.
            active: Name of the controller; empty when none is.
        """
        self.active, self._participant = active, participant
        self._writer = DataWriter(participant.entity, _topic(participant, f"{_SERVICE}/response", RESPONSE), _ALL)
        self._reader = DataReader(participant.entity, _topic(participant, f"{_SERVICE}/request", REQUEST), _ALL)

    def serve(self) -> None:
        """Answer what was asked since the last call."""
        for request in self._reader.take(10):
            if getattr(request, "header", None) is None:
                continue
            identity = request.header.identity
            if identity.api_id == _RELEASE_MODE:
                self.active = ""
            data = json.dumps({"form": "0", "name": self.active}) if identity.api_id == _CHECK_MODE else ""
            header = _RESPONSE_HEADER(identity=identity, status=_STATUS(code=0))
            self._writer.write(RESPONSE(header=header, data=data, binary=[]))
