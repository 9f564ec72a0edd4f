"""The doctor at real servers: a Mosquitto on its defaults loses and is found to, the shipped configuration is clean, and an
InfluxDB with a column of another type is named with its mend."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from urllib.request import Request, urlopen

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from city.clock import SystemClock
from city.readings import to_ns
from city.settings import Database, Influx, Log, Mqtt, Secret, Settings
from gateway_bridge.doctor.__main__ import Wanted, examine
from gateway_bridge.doctor.broker import Broker, Queue
from gateway_bridge.doctor.findings import Finding, Level
from gateway_bridge.doctor.judge_services import judge_influx
from gateway_bridge.doctor.services import probe_influx
from tests.faults.waiting import until
from tests.gateway_bridge.samples import encode, topic, up
from tests.patience import PATIENCE_S
from tests.wire.influxd import influxd
from tests.wire.servers import Mosquitto, free_port, program

pytestmark = pytest.mark.wire
ROOT = Path(__file__).parents[2]
USERS = {"stadtfunk": "s3cret", "chirpstack": "s3cret"}


class Plain(Mosquitto):
    """A Mosquitto whose configuration is exactly `text`."""

    def __init__(self, directory: Path, text: str) -> None:
        super().__init__(directory)
        (directory / "mosquitto.conf").write_text(text.format(port=self.port, directory=directory), encoding="utf-8")
        self.conf = directory / "mosquitto.conf"


def defaults(directory: Path) -> Plain:
    return Plain(directory, "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")


def shipped(directory: Path) -> Plain:
    """deploy/mosquitto.conf and deploy/mosquitto.acl, on another port and with files of their own."""
    directory.mkdir(parents=True, exist_ok=True)
    text = (ROOT / "deploy/mosquitto.conf").read_text(encoding="utf-8")
    for old, new in (("listener 1883", "listener {port}"), ("/etc/mosquitto", "{directory}"), ("#persistence", "persistence"),
                     ("/var/lib/mosquitto", "{directory}")):
        assert old in text
        text = text.replace(old, new)
    server = Plain(directory, text + "user root\n")
    passwords = directory / "stadtfunk.passwd"
    passwords.touch(mode=0o600)
    for name, word in USERS.items():
        subprocess.run([program("mosquitto_passwd"), "-b", str(passwords), name, word], check=True, timeout=PATIENCE_S)
    acl = directory / "stadtfunk.acl"
    acl.write_bytes((ROOT / "deploy/mosquitto.acl").read_bytes())
    return server


def settings(server: Mosquitto, directory: Path, **mqtt: object) -> Settings:
    return Settings(mqtt=replace(Mqtt(url=server.url), **mqtt), log=Log(str(directory / "log")),
                    database=Database(Secret(f"sqlite:///{directory}/city.db")))


def levels(findings: list[Finding]) -> dict[str, Level]:
    return {item.check: item.level for item in findings}


class Sender:
    """ChirpStack, publishing an uplink five times a second until the block ends."""

    def __init__(self, server: Mosquitto, qos: int, name: str = "", *, where: str = "") -> None:
        self._server, self._qos, self._name, self._topic = server, qos, name, where or topic("up")
        self._stop = Event()
        self._thread = Thread(target=self._send)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _send(self) -> None:
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        if self._name:
            client.username_pw_set(self._name, USERS[self._name])
        client.connect("127.0.0.1", self._server.port)
        client.loop_start()
        number = 0
        while not self._stop.wait(0.2):
            number += 1
            at = SystemClock().now().isoformat(timespec="milliseconds")
            client.publish(self._topic, encode(up(f_cnt=number, time=at)), self._qos)
        client.disconnect()
        client.loop_stop()


def test_a_broker_on_its_defaults_and_a_chirpstack_on_its_own(tmp_path: Path) -> None:
    server = defaults(tmp_path / "broker")
    server.start()
    try:
        with Sender(server, 0):
            found = list(examine(settings(server, tmp_path), Wanted(5.0, mosquitto=server.conf), SystemClock()))
        assert Broker(Mqtt(url=server.url), lambda: 0).queue() == Queue(1200, 1000, 20)
    finally:
        server.stop()
    said = levels(found)
    assert said["max_queued_messages"] is Level.BROKEN
    assert said["event QoS"] is Level.BROKEN
    assert said["broker's disk"] is Level.BROKEN
    assert said["session kept"] is Level.OK
    assert said["event clock"] is Level.OK
    mend = next(item.mend for item in found if item.check == "event QoS")
    assert "[integration.mqtt]: qos = 1" in mend


def test_the_shipped_configuration_is_clean(tmp_path: Path) -> None:
    """With its accounts and rules, too: the doctor may do what it must, and leaves no session and no message behind."""
    server = shipped(tmp_path / "broker")
    server.start()
    chosen = settings(server, tmp_path, username="stadtfunk", password=Secret(USERS["stadtfunk"]))
    try:
        with Sender(server, 1, "chirpstack"):
            found = list(examine(chosen, Wanted(5.0, mosquitto=server.conf), SystemClock()))
        assert Broker(chosen.mqtt, lambda: 0).queue() == Queue(1200, 1200, 1000)
    finally:
        server.stop()
    chain = levels([item for item in found if item.check not in ("city database", "time service", "disk", "fsync",
                                                                  "log's file system")])
    assert {check for check, level in chain.items() if level not in (Level.OK, Level.UNKNOWN)} == set()
    assert {check for check, level in chain.items() if level is Level.UNKNOWN} <= {"client id", "chirpstack.toml"}
    saved = (tmp_path / "broker/mosquitto.db").read_bytes()
    assert b"stadtfunk-doctor" not in saved
    assert b"stadtfunk/doctor" not in saved


def test_an_account_without_the_right_to_probe_is_told_which_it_lacks(tmp_path: Path) -> None:
    server = shipped(tmp_path / "broker")
    acl = tmp_path / "broker/stadtfunk.acl"
    acl.write_text(acl.read_text(encoding="utf-8").replace("topic readwrite stadtfunk/doctor/#", ""), encoding="utf-8")
    server.start()
    chosen = settings(server, tmp_path, username="stadtfunk", password=Secret(USERS["stadtfunk"]))
    try:
        found = list(examine(chosen, Wanted(0.5), SystemClock()))
        wrong = list(examine(settings(server, tmp_path, username="stadtfunk"), Wanted(0.5), SystemClock()))
    finally:
        server.stop()
    queue = next(item for item in found if item.check == "queue")
    assert queue.level is Level.UNKNOWN
    assert "topic readwrite stadtfunk/doctor/#" in queue.mend
    assert levels(wrong)["broker"] is Level.BROKEN


def test_a_wrong_prefix_is_found_and_named(tmp_path: Path) -> None:
    server = defaults(tmp_path / "broker")
    server.start()
    try:
        with Sender(server, 1, where="town/" + topic("up")):
            found = list(examine(settings(server, tmp_path), Wanted(1.0, load=False), SystemClock()))
    finally:
        server.stop()
    finding = next(item for item in found if item.check == "topic")
    assert finding.level is Level.BROKEN
    assert 'mqtt.topic = "town/application/+/device/+/event/+"' in finding.mend


def test_the_command_prints_json_and_exits_with_the_worst(tmp_path: Path) -> None:
    """No broker at all."""
    (tmp_path / "stadtfunk.toml").write_text(f'[mqtt]\nurl = "mqtt://127.0.0.1:{free_port()}"\n', encoding="utf-8")
    run = subprocess.run([sys.executable, str(ROOT / "stadtfunk.py"), "doctor", "--json", "--seconds", "0.2"], cwd=tmp_path,
                         capture_output=True, text=True, timeout=60, check=False)
    said = json.loads(run.stdout)
    assert run.returncode == said["exit_code"] == 2
    assert {"check": "broker", "level": "broken"}.items() <= next(
        row for row in said["findings"] if row["check"] == "broker").items()


def test_a_column_of_another_type_in_a_real_influxdb(tmp_path: Path) -> None:
    with influxd(tmp_path) as server:
        new = Influx(url=server.url)
        assert [item.level for item in judge_influx(probe_influx(new, SystemClock()), new, 7)] == [Level.OK] * 4
        post(f"{server.url}/query?q=CREATE%20DATABASE%20stadtfunk%20WITH%20DURATION%2024h")
        at = to_ns(SystemClock().now())
        until(lambda: "stadtfunk" in databases(server.url))  # a moment later, on a busy machine
        post(f"{server.url}/write?db=stadtfunk", f'lamp,asset=a level="dim",power=4.2 {at}\nweather rain=1 {at}'.encode())
        chosen = Settings(mqtt=Mqtt(url=f"mqtt://127.0.0.1:{free_port()}"), log=Log(str(tmp_path / "log")),
                          database=Database(Secret(f"sqlite:///{tmp_path}/city.db")), influx=Influx(url=server.url))
        found = list(examine(chosen, Wanted(0.2), SystemClock()))
    conflict = [item for item in found if item.check == "InfluxDB's types"]
    assert [item.level for item in conflict] == [Level.BROKEN]
    assert "lamp.level as string; we write float" in conflict[0].sentence
    said = levels(found)
    assert (said["InfluxDB"], said["InfluxDB's clock"], said["InfluxDB's retention"]) == (Level.OK, Level.OK, Level.WARNING)
    assert not (tmp_path / "city.db").exists()


def databases(url: str) -> str:
    with urlopen(f"{url}/query?q=SHOW%20DATABASES", timeout=PATIENCE_S) as answer:
        return str(answer.read())


def post(url: str, body: bytes = b"") -> None:
    with urlopen(Request(url, body, method="POST"), timeout=PATIENCE_S) as answer:
        assert answer.status in (200, 204)
