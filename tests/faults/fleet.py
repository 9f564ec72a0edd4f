"""Numbered events: number n is the frame n // devices + 1 of device n % devices, so that any one missing is known by name."""

import json
from datetime import UTC, datetime, timedelta

from city.ids import DevEui, TenantId
from city.imports import COLUMNS, parse
from city.places import Site, Tenant
from city.readings import NS, to_ns
from city.store.ports import Store
from tests.gateway_bridge.samples import APPLICATION, encode, up

TOWN = TenantId("musterstadt")
MS_NS = 1_000_000


class Fleet:
    """`size` lamps of one town; `since` is when number 0 was sent, by default 2 h ago, and `step_ms` lies between two."""

    def __init__(self, size: int = 20, since: datetime | None = None, *, step_ms: int = 10, first: int = 1,
                 session: str = "00189440") -> None:
        self.size, self.first, self._session = size, first, session
        self._since_ms = to_ns(since or datetime.now(UTC) - timedelta(hours=2)) // MS_NS
        self._step_ms = step_ms
        self._topics = [self.topic(self.eui(index)) for index in range(size)]
        mark = encode(up(eui="@EUI@", f_cnt=987654321, time="@TIME@", dedup="@DEDUP@")).decode()
        self._template = mark.replace("%", "%%").replace("@EUI@", "%(eui)s").replace("987654321", "%(f_cnt)d") \
            .replace("@TIME@", "%(time)s").replace("@DEDUP@", "%(dedup)s").replace("00189440", session)

    def eui(self, index: int) -> str:
        return f"70b3d57ed1{index:06x}"

    def asset(self, index: int) -> str:
        return f"L-{index}"

    def topic(self, eui: str, kind: str = "up") -> str:
        return f"application/{APPLICATION}/device/{eui}/event/{kind}"

    def at_ns(self, number: int) -> int:
        """When the event was heard, in ns; in whole ms."""
        return (self._since_ms + number * self._step_ms) * MS_NS

    def message(self, number: int) -> tuple[str, bytes]:
        """Topic and payload, the same however often it is asked for."""
        index, f_cnt = number % self.size, number // self.size + self.first
        at_ns = self.at_ns(number)
        time = datetime.fromtimestamp(at_ns // NS, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{at_ns % NS // 10**6:03d}+00:00"
        payload = self._template % {"eui": self.eui(index), "f_cnt": f_cnt, "time": time,
                                    "dedup": f"00000000-0000-4000-8000-{number:012x}"}
        return self._topics[index], payload.encode()

    def number(self, eui: str, f_cnt: int) -> int | None:
        """The number of a device's frame; None where it is none of ours."""
        if not eui.startswith("70b3d57ed1") or f_cnt < self.first:
            return None
        return (f_cnt - self.first) * self.size + int(eui[10:], 16)

    def number_of_key(self, eui: str, key: str) -> int | None:
        """The same, by the key of the log's entry."""
        session, _, f_cnt = key.partition(":")
        return self.number(eui, int(f_cnt)) if session == self._session and f_cnt.isdecimal() else None

    def number_in(self, payload: bytes) -> int | None:
        """The number of the event that a dead letter holds."""
        try:
            event = json.loads(payload)
            return self.number(event["deviceInfo"]["devEui"], event["fCnt"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None

    def register(self, store: Store, *, chirpstack_tenant: str = "") -> None:
        """The town and its lamps, in the city database."""
        store.put_tenant(Tenant(TOWN, "Musterstadt", Site(48.7, 13.8), chirpstack_tenant))
        lines = [f"{self.asset(i)},lamp,Lampe {i},48.7,13.8,nord,K{i % 4},{self.eui(i)},nas/ul20xx,40,P4," for i in
                 range(self.size)]
        rows, problems = parse(("\n".join([",".join(COLUMNS), *lines]) + "\n").encode(), {"nas/ul20xx"})
        assert not problems, problems
        store.tenant(TOWN).import_rows(rows)

    def device(self, index: int = 0) -> DevEui:
        return DevEui(self.eui(index))
