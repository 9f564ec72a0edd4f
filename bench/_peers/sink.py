"""Bare paho with an empty callback: what any bridge in Python on paho pays before it does anything.

    python -m bench._peers.sink PORT CLIENT_ID COUNT 3.1.1|5 auto|manual

Leaves after COUNT messages, saying its processor time until then. paho is
used as its documentation shows: `loop_forever`, a persistent session, and with
"manual" an acknowledgement in the callback.
"""

import sys
import time
from collections.abc import Sequence

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

TOPIC = "application/+/device/+/event/+"


def main(words: Sequence[str]) -> None:
    port, name, count, five, manual = int(words[0]), words[1], int(words[2]), words[3] == "5", words[4] == "manual"
    client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5 if five
                    else MQTTProtocolVersion.MQTTv311, clean_session=None if five else False, manual_ack=manual)
    left = count

    def heard(_client: Client, _data: object, message: MQTTMessage) -> None:
        nonlocal left
        if manual:
            client.ack(message.mid, message.qos)
        left -= 1
        if not left:
            print("all", count, time.process_time(), flush=True)
            client.disconnect()

    client.on_message = heard

    def connected(*_: object) -> None:
        client.subscribe(TOPIC, 1)

    client.on_connect = connected
    client.on_subscribe = lambda *_: print("subscribed", flush=True)
    if five:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # as paho ships it
        properties.SessionExpiryInterval, properties.ReceiveMaximum = 3600, 1000
        client.connect("127.0.0.1", port, 60, clean_start=False, properties=properties)
    else:
        client.connect("127.0.0.1", port, 60)
    client.loop_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
