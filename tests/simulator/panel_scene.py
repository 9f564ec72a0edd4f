"""A small town at the panel, at either level, and somebody who asks through the API."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from starlette.testclient import TestClient

from city.settings import Secret
from simulator.chirpstack import ChirpStack
from simulator.faults import Troubled
from simulator.field_stage import FieldStage
from simulator.panel.app import Panel, create_app
from simulator.panel.controllable import Controllable
from simulator.panel.imitation import Imitation
from simulator.panel.on_air import OnAir
from simulator.panel.pausing import PausableClock
from simulator.scenario import Scenario
from tests.simulator.conftest import NIGHT
from tests.simulator.test_field import NOW, STEP
from tests.simulator.test_field import Town as FieldTown

TOKEN = "a token of the tests"
ORIGIN = "http://127.0.0.1:8080"
QUIET = {"lamp_failure": 0.0, "stuck_driver": 0.0, "silent": 0.0, "missed_edge": 0.0, "uplink_loss": 0.0, "downlink_loss": 0.0,
         "join_within_s": 2.0}


@cache
def client(host: str) -> TestClient:
    """One application for all tests: its routes take a tenth of a second to build."""
    return TestClient(create_app(Panel([]), token=Secret(TOKEN), host=host), base_url=ORIGIN)


class Caller:
    """Asks the API of some towns, with the token unless told otherwise."""

    def __init__(self, towns: Sequence[Controllable], clock: PausableClock | None = None, host: str = "127.0.0.1") -> None:
        self.panel = Panel(towns, clock)
        self._client = client(host)

    @property
    def http(self) -> TestClient:
        """A client whose application is about these towns."""
        app: Any = self._client.app
        app.state.panel = self.panel
        return self._client

    def get(self, path: str, **asked: Any) -> Any:
        answer = self.http.get(f"/api{path}", params=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def do(self, path: str, body: Any = None, method: str = "POST", **headers: str) -> Any:
        return self.http.request(method, f"/api{path}", json=body, headers={"Authorization": f"Bearer {TOKEN}", **headers})


class EventTown:
    """A town of events that has lived for three minutes."""

    def __init__(self, lamps: int = 6, bays: int = 4, seconds: float = 180, **devices: float) -> None:
        scenario = Scenario.load().sized(lamps=lamps, bays=bays).tuned(**{**QUIET, **devices})
        self.chirpstack = ChirpStack(scenario, seed=1, start=NIGHT)
        self.troubled = Troubled(self.chirpstack, seed=1, start=NIGHT)
        self.town = Imitation(self.chirpstack, self.troubled)
        self.now: datetime = NIGHT
        self.lamp, self.bay = (str(scenario.lamps[0].lamp.id), str(scenario.bays[0].bay.id)) if bays else ("", "")
        self.run(seconds)
        self.call = Caller([self.town])

    def run(self, seconds: float) -> list[tuple[str, bytes]]:
        self.now += timedelta(seconds=seconds)
        return self.troubled.advance(self.now)


class AirTown(FieldTown):
    """A town of frames, with the tests' own network server behind."""

    def __init__(self, lamps: int = 4, bays: int = 1) -> None:
        super().__init__(lamps=lamps, bays=bays, status_interval_s=60.0)
        stage = FieldStage(self.field)
        self.troubled = Troubled(stage, seed=7, start=NOW)
        self.town = OnAir(self.field, stage, self.troubled)
        self.call = Caller([self.town])

    def run(self, seconds: float) -> "AirTown":
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.now += STEP
            for topic, payload in self.troubled.advance(self.now):
                self.network.take(topic, payload, self.now)
            for topic, payload in self.network.step(self.now):
                self.troubled.command(topic, payload, self.now)
        return self
