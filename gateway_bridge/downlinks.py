"""A command as ChirpStack takes it on MQTT. The one place where downlinks are written."""

import base64
from datetime import datetime

import msgspec

from city.commands import Command
from city.errors import Refused, Unsupported
from city.orders import MulticastGroup, SetLevel, Setting
from city.store.ports import Known
from decoders.codec import Frame
from gateway_bridge.multicast import Multicast
from gateway_bridge.reading import Reader
from gateway_bridge.wishes import Served

TOPIC = "application/{application}/device/{device}/command/down"


class _Down(msgspec.Struct, rename="camel"):
    id: str
    dev_eui: str
    confirmed: bool
    f_port: int
    data: str
    expires_at: str


class Speaker:
    """Says commands in their devices' words: by our codecs, the town's own scripts, and with the keys of groups."""

    def __init__(self, groups: Multicast, reader: Reader) -> None:
        self._groups, self._reader = groups, reader

    def say(self, command: Command, served: Served | None, known: Known, now: datetime) -> tuple[str, bytes, int]:
        """Topic, message, and how many bytes the order has. Raises Refused: Unsupported, Invalid, NotFound; ScriptError and
        SandboxDown where a town's script speaks."""
        if served is None:
            raise Refused("The device {device} serves nothing here any more.", device=command.device)
        order = command.order
        if isinstance(order, MulticastGroup):
            order = self._groups.with_keys(command.tenant, command.device, order)
        frame = served.codec.encode_downlink(order) if served.own is None \
            else self._reader.encode(served.own, order, served.asset, command.queue_id, now)
        topic, payload = downlink(command, frame, known.state.application_id, confirmed=says_nothing_of(served, command))
        return topic, payload, len(frame.data)


def downlink(command: Command, frame: Frame, application_id: str, *, confirmed: bool = False) -> tuple[str, bytes]:
    """Topic and JSON of the command's present attempt: our own UUID as the queue item's key, with the end of its use.
    `confirmed` asks for LoRaWAN's acknowledgement, for devices of which nothing else tells. Topic and payload name the
    device alike, or ChirpStack drops it. Raises Unsupported where the device has never been heard and its application is
    unknown."""
    if not application_id:
        raise Unsupported("The device {device} has never been heard; the network server's application is unknown.",
                          field="device", rule="heard once", device=command.device)
    item = _Down(id=command.queue_id, dev_eui=command.device, confirmed=confirmed, f_port=frame.port,
                 data=base64.b64encode(frame.data).decode("ascii"), expires_at=_rfc3339(command))
    return TOPIC.format(application=application_id, device=command.device), msgspec.json.encode(item)


def says_nothing_of(served: Served, command: Command) -> bool:
    """Whether what the device sends will not tell if it obeys: it reports no level, or a town's script recognises no
    echo. The network's own acknowledgement is asked for then."""
    if isinstance(command.order, SetLevel):
        return not served.codec.abilities.reports_level
    return served.own is not None and isinstance(command.order, Setting)


def _rfc3339(command: Command) -> str:
    return command.expires_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
