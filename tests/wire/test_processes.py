"""Bridge, web server and simulated town as processes of their own on a real Mosquitto, as an operator starts them."""

import base64
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tests.wire.servers import free_port, mosquitto, program, stop

pytestmark = pytest.mark.wire
ROOT = Path(__file__).parents[2]
NAS_STATUS = "01F37F205E82443209162007" + "01D2029455" + "0401" + "FE501900" + "12501900"
EUI = "70b3d57ed0000042"


class Platform:
    """The command line of one installation, its processes, and its API."""

    def __init__(self, directory: Path, broker: str) -> None:
        self.directory, self.broker, self.port, self.token = directory, broker, free_port(), ""
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("STADTFUNK_")},
            "PYTHONPATH": str(ROOT), "STADTFUNK_MQTT_URL": broker, "STADTFUNK_API_PORT": str(self.port),
            "STADTFUNK_BRIDGE_METRICS_PORT": str(free_port())}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, *words: str) -> str:
        """What a command prints; it must end with 0."""
        done = subprocess.run([sys.executable, "-m", "stadtfunk", *words], cwd=self.directory, env=self._environment,
                              capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, name: str, *words: str) -> None:
        with (self.directory / f"{name}.txt").open("ab") as output:
            self.processes[name] = subprocess.Popen([sys.executable, "-m", "stadtfunk", name, *words], stderr=output,
                                                    cwd=self.directory, env=self._environment, stdout=output)

    def said(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-2000:] for path in self.directory.glob("*.txt"))

    def ask(self, path: str, body: object = None) -> tuple[int, dict]:
        """Status and JSON of an answer; (0, {}) where nobody answers."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method="GET" if body is None else "PUT",
                                         data=None if body is None else json.dumps(body).encode())
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {}

    def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A registered town of four lamps; broker, bridge, web server and the simulated town run."""
    (tmp_path / "data").mkdir()
    with mosquitto(tmp_path / "broker") as broker:
        made = Platform(tmp_path / "data", broker.url)
        made.run("account", "town", "add", "hilchenbach", "Hilchenbach", "--latitude", "51", "--longitude", "8.1")
        made.run("simulate", "--lamps", "4", "--bays", "1", "--csv", "town.csv")
        with (made.directory / "town.csv").open("a", encoding="utf-8") as rows:
            rows.write(f"EXTRA,lamp,Extra,51,8.1,Depot,,{EUI},nas/ul20xx,,,\n")
        made.run("import", "town.csv", "--tenant", "hilchenbach")
        shown = made.run("account", "token", "test", "--tenant", "hilchenbach", "--role", "engineer")
        made.token = re.search(r"sf_\S+", shown)[0]
        made.start("bridge")
        made.start("api")
        # The town's clock runs ahead of ours by 3 s a second: an order of 5 minutes must not be over before it is sent.
        made.start("simulate", "--lamps", "4", "--bays", "1", "--speed", "4")
        try:
            made.until(lambda: made.ask("/readyz")[0] == 200)
            made.until(lambda: "connected" in (made.directory / "bridge.txt").read_text())
            yield made
        finally:
            for process in made.processes.values():
                stop(process)


def _publish(url: str, now: datetime) -> None:
    """An `up` event as ChirpStack writes it."""
    at = now.isoformat()
    event = {"deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d", "time": at, "devAddr": "00189440", "adr": True,
             "deviceInfo": {"tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242", "devEui": EUI, "tags": {}}, "dr": 5,
             "fCnt": 1042, "fPort": 23, "data": base64.b64encode(bytes.fromhex(NAS_STATUS)).decode(),
             "rxInfo": [{"gatewayId": "0016c001f153a14c", "nsTime": at, "rssi": -97, "snr": 7.5}]}
    topic = f"application/ca739e26-7b67-4f14-b69e-d568c22a5a75/device/{EUI}/event/up"
    subprocess.run([program("mosquitto_pub"), "-h", "127.0.0.1", "-p", url.rpartition(":")[2], "-q", "1", "-t", topic,
                    "-m", json.dumps(event)], check=True, timeout=PATIENCE_S)


def test_a_reading_appears_an_override_is_applied_and_all_end_with_0(platform: Platform):
    town, now = "/api/v1/tenants/hilchenbach", datetime.now(UTC)
    span = f"from={now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}&to={now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"

    _publish(platform.broker, now)
    _publish(platform.broker, now)
    readings = f"{town}/readings?asset=EXTRA&quantity=radio.fcnt&{span}"
    platform.until(lambda: platform.ask(readings)[1].get("points"))
    assert [point["value"] for point in platform.ask(readings)[1]["points"]] == [1042]

    lamps = {lamp["id"] for lamp in platform.ask(f"{town}/luminaires")[1]["luminaires"]} - {"EXTRA"}
    chosen = min(lamps)
    platform.until(lambda: platform.ask(f"{town}/luminaires/{chosen}")[1]["level"] is not None)
    status, accepted = platform.ask(f"{town}/luminaires/{chosen}/override", {"level": 65, "minutes": 60, "reason": "test"})
    assert (status, accepted["estimate"]["lamps"]) == (202, 1)
    platform.until(lambda: platform.ask(accepted["href"])[1]["progress"]["applied"] == 1)
    assert platform.ask(f"{town}/luminaires/{chosen}")[1]["level"] == 65

    for process in platform.processes.values():
        process.terminate()
    ended = {name: process.wait(PATIENCE_S) for name, process in platform.processes.items()}
    assert ended == dict.fromkeys(platform.processes, 0)
    assert "Traceback" not in platform.said()
