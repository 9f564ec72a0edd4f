"""`stadtfunk simulate drive` against a real broker, and against a UDP port, with the tests' own network server behind."""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from simulator.scenario import Scenario
from simulator.secrets_of import keys
from tests.patience import PATIENCE_S
from tests.simulator.small_network import SmallNetwork
from tests.simulator.small_server import SmallServer
from tests.wire.servers import Mosquitto, stop

pytestmark = pytest.mark.wire
SMALL = ("--lamps", "3", "--bays", "1", "--seed", "5", "--headless")


@contextmanager
def driving(tmp_path: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    scenario = tmp_path / "quick.toml"
    text = (Path(__file__).parents[2] / "simulator/towns/hilchenbach.toml").read_text()
    scenario.write_text(re.sub("join_within_s.*", "", text).replace("[devices]", "[devices]\njoin_within_s = 2.0"))
    with (tmp_path / "drive.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "simulator", "drive", "--town", str(scenario), *SMALL, *options],
                                   stderr=log, cwd=tmp_path)
        try:
            yield process
        finally:
            stop(process)


def server_of() -> SmallServer:
    scenario, server = Scenario.load().sized(lamps=3, bays=1), SmallServer(rx2_dr=3)
    for site in (*scenario.lamps, *scenario.bays):
        server.know(site.device.dev_eui, keys(5, site.device.dev_eui).app_key)
    return server


def test_a_town_joins_over_a_real_broker_and_remembers_its_nonces(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    network, inbox = SmallNetwork(server_of(), rx2_sf=9), []
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: inbox.append((message.topic, message.payload))
    client.connect("127.0.0.1", broker.port)
    client.subscribe("eu868/gateway/+/event/+")
    client.loop_start()

    def serve(until, seconds: float = PATIENCE_S) -> None:
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, (tmp_path / "drive.log").read_text()
            now = datetime.now(UTC)
            while inbox:
                network.take(*inbox.pop(0), now)
            for topic, payload in network.step(now):
                client.publish(topic, payload)
            time.sleep(0.01)

    try:
        state = str(tmp_path / "state.json")
        for turn in (1, 2):
            network.server.heard.clear()
            with driving(tmp_path, "--mqtt", f"mqtt://127.0.0.1:{broker.port}", "--state", state) as process:
                serve(lambda: len({up.eui for up in network.server.heard}) >= 2 and network.stats)
                process.send_signal(signal.SIGINT)
                assert process.wait(PATIENCE_S) == 0
            assert "DevNonce" not in network.server.refused, f"run {turn}"
        assert {tuple(said) for _, said in network.acks} <= {("OK", "IGNORED"), ("TOO_LATE", "OK"), ("COLLISION_PACKET", "OK")}
    finally:
        client.loop_stop()
        broker.stop()


def test_by_udp_gateways_push_pull_and_answer(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(30)
        with driving(tmp_path, "--udp", f"127.0.0.1:{server.getsockname()[1]}"):
            kinds, pushed = set(), {}
            while not {0, 2} <= kinds:
                datagram, sender = server.recvfrom(4096)
                kinds.add(datagram[3])
                server.sendto(datagram[:3] + bytes([1 if datagram[3] == 0 else 4]), sender)
                pushed[datagram[4:12].hex()] = sender
            assert len(set(pushed.values())) == len(pushed), "each gateway has a socket of its own"
            text = (b'{"txpk":{"imme":true,"freq":869.525,"powe":27,"modu":"LORA","datr":"SF9BW125","codr":"4/5","ipol":true,'
                    b'"size":13,"data":"YAECAwQAAAABqqqqqg=="}}')
            server.sendto(b"\x02\xab\xcd\x03" + text, next(iter(pushed.values())))
            while datagram[3] != 5:
                datagram, _ = server.recvfrom(4096)
            assert datagram[1:3] == b"\xab\xcd"
            assert b'"NONE"' in datagram
