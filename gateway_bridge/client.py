"""paho's client, with our socket under it and as the settings want it."""

import itertools
import ssl
from typing import Any, cast

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from city.settings import Mqtt
from gateway_bridge.sockets import LARGEST, PacketSocket

CONNECT_S = 10.0


class Client(paho.Client):
    """paho's client with our socket under it. `_create_socket` is a private method of paho: a test fails where a new
    version of it makes its connections elsewhere. (paho puts its own websockets under itself the same way.)"""

    packets: PacketSocket | None = None

    def prepare(self, generation: int, numbers: "itertools.count[int]") -> None:
        """For the socket to come."""
        self._generation, self._numbers = generation, numbers

    def _create_socket(self) -> "paho.SocketLike":
        connected = super()._create_socket()
        self.packets = PacketSocket(cast("Any", connected), version5=self.protocol == paho.MQTTv5,
                                    generation=self._generation, numbers=self._numbers)
        return self.packets


def is_5(settings: Mqtt) -> bool:
    """Whether the settings want MQTT 5."""
    return settings.version == "5"


def client(settings: Mqtt, tls: ssl.SSLContext | None, *, clean: bool) -> Client:
    """A client as the settings want it, not connected yet."""
    version = ({"protocol": paho.MQTTv5} if is_5(settings) else {"protocol": paho.MQTTv311, "clean_session": clean})
    made = Client(CallbackAPIVersion.VERSION2, client_id=settings.client_id, manual_ack=True,
                    reconnect_on_failure=False, **version)
    if settings.username:
        made.username_pw_set(settings.username, settings.password.reveal() or None)
    if tls is not None:
        made.tls_set_context(tls)
    made.connect_timeout = CONNECT_S
    return made


def properties(settings: Mqtt) -> Properties:
    """What a CONNECT of MQTT 5 says of the session."""
    said = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # as paho ships it
    said.SessionExpiryInterval = settings.session_expiry_s
    said.ReceiveMaximum = min(max(settings.receive_maximum, 1), 65535)
    said.MaximumPacketSize = LARGEST
    return said
