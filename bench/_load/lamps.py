"""A town of lamps, and what ChirpStack v4 publishes while each reports its status every 15 minutes.

The frames are those of a NAS UL20xx with firmware 1.1.4 or later and one DALI group; the JSON has what ChirpStack writes:
names, tags, one to three gateways with places and times. Each event has its own time, counter, number and values, and
lamps do not report in the order of their keys. They burn as their town's program wants, but for those with an alert, which
do the opposite: a bridge that steers has orders for these. The same town, count and times give the same events.
"""

import csv
import io
import struct
import uuid
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from city.ids import TenantId
from city.imports import COLUMNS, parse
from city.nights import Night, curve
from city.places import Site, Tenant
from city.programs import HALBNACHT, SHIPPED
from city.readings import NS
from city.store.ports import Store
from city.wants import programmed
from decoders.catalog import catalog

EVERY_S = 900
GATEWAYS, ZONES, FEEDERS = 40, 40, 200
MODEL, PORT = "nas/ul20xx", 23
STATUS = struct.Struct("<BIBBBbbBB4B")  # kind, clock, state, -, RSSI, SNR, °C, alerts, sensors, DALI group
NETWORK_TENANT = "52f14cd4-c6f1-4fbd-8f87-4025e1d49242"
APPLICATION = "17c82e96-be03-4f38-aef3-f83d48582d97"
PROFILE = "14855bf7-d10d-4aee-b618-ebfcb64dc7ad"
TOWN = Tenant(TenantId("musterstadt"), "Musterstadt", Site(50.99, 8.1), chirpstack_tenant=NETWORK_TENANT)
ALERT_EACH = 200  # lamps, of which one has an alert
BY_PROFILE = 0x21  # why it burns so: the first step of a profile


@dataclass(frozen=True, slots=True)
class Published:
    """One message as the network server publishes it."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Lamps:
    """A town with so many lamps, 1 to 100,000 (as many as one list may have)."""

    count: int

    def register(self, store: Store) -> None:
        """Into the city database, by the list that an operator would import."""
        rows, problems = parse(self.csv(), catalog())
        if problems:
            raise ValueError(str(problems[0]))
        store.put_tenant(TOWN)
        store.tenant(TOWN.id).import_rows(rows)

    def csv(self) -> bytes:
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, COLUMNS, lineterminator="\n", restval="")
        table.writeheader()
        table.writerows(self._row(number) for number in range(self.count))
        return text.getvalue().encode()

    def events(self, count: int, start: datetime, seed: int = 7, *, heard: datetime | None = None) -> Iterator[Published]:
        """So many reports from `start` on, all lamps in turn; they burn as is wanted when they are `heard` (None: at the
        start, however much later the last of them is)."""
        at = heard or start
        night = Night.around(at, TOWN.site)
        wanted = programmed(curve(SHIPPED[HALBNACHT], night), night, at, HALBNACHT).level
        rng = Random(seed)
        order = list(range(self.count))
        rng.shuffle(order)
        who = [_device_info(number) for number in range(self.count)]
        begun, step = int(start.timestamp()) * NS, EVERY_S * NS // self.count
        for turn in range(count):
            number = order[turn % self.count]
            yield _event(rng, number, who[number], turn // self.count, begun + turn * step + rng.randrange(step), wanted)

    def _row(self, number: int) -> dict[str, object]:
        return {"asset": f"L-{number:06}", "kind": "lamp", "name": f"Lamp {number}", "latitude": _latitude(number),
                "longitude": _longitude(number), "zone": f"zone-{number % ZONES:02}",
                "circuit": f"feeder-{number % FEEDERS:03}", "dev_eui": eui(number), "model": MODEL, "power_w": 42}


def eui(number: int) -> str:
    """The DevEUI of a lamp."""
    return f"70b3d5e75e{number:06x}"


def write_records(path: Path, events: Iterable[Published]) -> None:
    """The file that the loader publishes: topic length u16, topic, payload length u32, payload; little endian."""
    with path.open("wb") as file:
        for event in events:
            topic = event.topic.encode()
            file.write(struct.pack("<H", len(topic)) + topic + struct.pack("<I", len(event.payload)) + event.payload)


def _event(rng: Random, number: int, who: str, turn: int, at_ns: int, wanted: int) -> Published:
    second, rest = divmod(at_ns, NS)
    at = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    alert = number % ALERT_EACH == 0
    level = (0 if wanted else 100) if alert else wanted
    frame = STATUS.pack(1, second, 0x80 if level else 0, 0, rng.randrange(40, 115), rng.randrange(-8, 12),
                        rng.randrange(-5, 45), 0x20 if alert else 0, 0, 0xFE, BY_PROFILE, level, 4 if level else 0)
    number_of_gateways = 1 if rng.random() < 0.8 else rng.randrange(2, 4)
    heard = ",".join([_reception(rng, number + 7 * index, at, rest) for index in range(number_of_gateways)])
    payload = (f'{{"deduplicationId":"{uuid.UUID(int=rng.getrandbits(128), version=4)}","time":"{at}.{rest:09d}+00:00",'
               f'{who},"adr":true,"dr":5,"fCnt":{turn + 1},"fPort":{PORT},"confirmed":false,'
               f'"data":"{b64encode(frame).decode()}","rxInfo":[{heard}],"txInfo":{{"frequency":'
               f'{868_100_000 + 200_000 * rng.randrange(3)},"modulation":{{"lora":{{"bandwidth":125000,'
               f'"spreadingFactor":7,"codeRate":"CR_4_5"}}}}}},"regionConfigId":"eu868"}}')
    return Published(f"application/{APPLICATION}/device/{eui(number)}/event/up", payload.encode())


def _reception(rng: Random, gateway: int, at: str, rest: int) -> str:
    one = gateway % GATEWAYS
    return (f'{{"gatewayId":"0016c001f10{one:05x}","uplinkId":{rng.getrandbits(32)},"gwTime":"{at}.{rest:09d}+00:00",'
            f'"nsTime":"{at}.{min(rest + 34_000_000, NS - 1):09d}+00:00","rssi":{rng.randrange(-118, -40)},'
            f'"snr":{rng.randrange(-20, 40) / 4},"channel":{rng.randrange(8)},"location":{{"latitude":{50.9 + one / 400},'
            f'"longitude":{8.0 + one / 400},"altitude":430.0}},"context":"{b64encode(rng.randbytes(4)).decode()}",'
            f'"metadata":{{"region_config_id":"eu868","region_common_name":"EU868"}},"crcStatus":"CRC_OK"}}')


def _device_info(number: int) -> str:
    return (f'"deviceInfo":{{"tenantId":"{NETWORK_TENANT}","tenantName":"Musterstadt","applicationId":"{APPLICATION}",'
            f'"applicationName":"streetlights","deviceProfileId":"{PROFILE}","deviceProfileName":"NAS UL20xx",'
            f'"deviceName":"lamp-{number:06}","devEui":"{eui(number)}","deviceClassEnabled":"CLASS_C",'
            f'"tags":{{"zone":"zone-{number % ZONES:02}","feeder":"feeder-{number % FEEDERS:03}"}}}},'
            f'"devAddr":"{0x01000000 + number:08x}"')


def _latitude(number: int) -> float:
    return round(50.90 + number // 320 * 0.0003, 6)


def _longitude(number: int) -> float:
    return round(8.00 + number % 320 * 0.0005, 6)
