"""Who publishes is hostile, or broken: F22–F26. What cannot be read is a dead letter, and everything else goes on."""

import json
from contextlib import closing
from datetime import UTC, datetime

import pytest

from city.ids import TenantId
from city.imports import COLUMNS, parse
from city.places import Site, Tenant
from city.scripts import Script
from city.settings import Influx
from city.store.influx import open_sink
from tests.faults import invariant
from tests.faults.fleet import TOWN
from tests.faults.rig import Rig
from tests.faults.waiting import until
from tests.gateway_bridge.samples import TENANT, encode, up

pytestmark = pytest.mark.wire


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _with(payload: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(payload), **fields}).encode()


def _malformed(good: bytes) -> list[bytes]:
    """What is no event, each for a reason of its own."""
    return [
        b"", b"not JSON", b"\xff\xfe\x00", good[:-7], good[:200] + b"\xc3", b"[" * 20_000, b'{"a":' * 20_000,
        b"null", b"[]", b'"text"', b"1e999", b'{"deviceInfo": NaN}', good.replace(b'"fCnt": ', b'"fCnt": -Infinity, "x": '),
        good.replace(b'"fCnt": ', b'"fCnt": ' + b"9" * 4000), _with(good, fCnt="many"), _with(good, deviceInfo=[]),
        _with(good, time="yesterday"), _with(good, time=10**30), _with(good, data="not base64!"), _with(good, fPort=2**40),
        _with(good, rxInfo={"gatewayId": 1}), json.dumps({f"key{n}": n for n in range(10_000)}).encode(),
    ]


def test_f22_malformed_events_are_dead_letters_and_cost_little(rig: Rig) -> None:
    bridge = rig.bridge()
    rig.publisher.publish(100)
    rig.wait_stored(bridge, 100)
    topic, good = rig.fleet.message(10**6)
    bad = _malformed(good)
    spent = bridge.cpu_s()
    for payload in bad:
        rig.publisher.send(topic, payload)
    counted = until(lambda: (now := invariant.balance(bridge))["received"] == 100 + len(bad) and now, said=bridge.said)
    assert counted["dead_letters"] == len(bad), rig.store.count_letters()
    assert bridge.cpu_s() - spent < 1.5, "a dead letter costs little"
    rig.publisher.publish(100)
    rig.wait_drained()
    assert bridge.stop() == 0
    rig.check()
    assert sum(letter.count for letter in rig.store.all_letters(1000)) == len(bad), "every one is kept"
    assert "Traceback" not in bridge.said(10**7)


def test_f23_oversize_payloads_do_not_fill_the_memory(rig: Rig, long: bool) -> None:
    bridge = rig.bridge()
    rig.publisher.publish(100)
    rig.wait_stored(bridge, 100)
    before = bridge.rss_mb()
    topic, good = rig.fleet.message(10**6)
    sizes = [256 * 1024, 2 * 2**20, 16 * 2**20] + ([200 * 2**20] if long else [])
    for size in sizes:
        rig.publisher.send(topic, good + b" " * size)
        rig.publisher.publish(100)
        rig.wait_drained(60.0)
        bridge.wait_connected(60.0)
    assert bridge.rss_mb() < before + 64.0
    assert bridge.stop() == 0
    rig.check()


def test_f24_nothing_crosses_towns_or_breaks_lines(rig: Rig) -> None:
    other = TenantId("nachbarort")
    rig.store.put_tenant(Tenant(TOWN, "Musterstadt", Site(48.7, 13.8), TENANT))
    rig.store.put_tenant(Tenant(other, "Nachbarort", Site(48.8, 13.8), "99999999-c6f1-4fbd-8f87-4025e1d49242"))
    foreign = "70b3d57ed2000001"
    rows, _ = parse((",".join(COLUMNS) + f"\nN-1,lamp,,48.7,13.8,nord,,{foreign},nas/ul20xx,40,P4,\n").encode(), {"nas/ul20xx"})
    rig.store.tenant(other).import_rows(rows)
    bridge = rig.bridge(influx_url=rig.influx_url)
    topic, good = rig.fleet.message(0)
    inner = json.loads(good)["deviceInfo"]
    rig.publisher.send(rig.fleet.topic(foreign), good)  # the topic's device is not the body's
    rig.publisher.send(rig.fleet.topic(foreign), encode(up(eui=foreign, time=_now())))  # our tenant's id, the neighbour's lamp
    rig.publisher.send(topic.replace("application/", "application/../", 1), good)
    rig.publisher.send(topic, _with(good, deviceInfo={**inner, "deviceName": "x\nlamp,tenant=nachbarort level=1 1\n",
                                                      "tags": {"zone": "a b,c=d\\\n"}}))
    rig.publisher.publish(40)
    rig.wait_drained()
    counted = invariant.balance(bridge)
    assert counted["dead_letters"] in (2, 3), rig.store.count_letters()
    until(lambda: invariant.count_shipped(rig.influx.url) == 40, said=bridge.said, every=0.2)
    assert _tenants(rig) == {TOWN}
    assert bridge.stop() == 0
    assert rig.store.tenant(other).states() == {} or all(s.heard_ns == 0 for s in rig.store.tenant(other).states().values())
    rig.check()


def test_f25_a_flood_of_unknown_devices_is_bounded(rig: Rig, long: bool) -> None:
    flood = 100_000 if long else 1500
    bridge = rig.bridge()
    rig.publisher.publish(100)
    rig.wait_stored(bridge, 100)
    before = bridge.rss_mb()
    for number in range(flood):
        eui = f"aa{number:014x}"
        rig.publisher._make_room()
        rig.publisher._send(None, rig.fleet.topic(eui), encode(up(eui=eui, time=_now())), flags=0x32)
    rig.publisher.settle()
    rig.publisher.publish(100)
    counted = until(lambda: (now := invariant.balance(bridge, 600.0))["received"] == 200 + flood and now, 600.0, bridge.said)
    assert counted["stored"] == 200
    assert counted["dead_letters"] == flood, "each is counted"
    assert bridge.rss_mb() < before + 80.0
    rig.wait_drained()
    assert bridge.stop() == 0
    rig.check()
    series = [name for name in rig.store.tenant(TOWN).states() if name.startswith("aa")]
    assert not series


LOOP = "function decodeUplink(input) { while (true) {} }"
BOMB = "function decodeUplink(input) { var a = []; while (true) a.push(new Array(1000).fill(a.length)); }"
DEEP = "function f(n) { return f(n + 1) + 1 } function decodeUplink(input) { return {data: {n: f(0)}} }"
REGEX = "function decodeUplink(input) { /^(a+)+$/.test('a'.repeat(40) + 'b'); return {data: {n: 1}} }"
THROW = "function decodeUplink(input) { throw new Error('no') }"
HUGE = "function decodeUplink(input) { return {data: {s: 'x'.repeat(10000000)}} }"


EVIL = {"loop": LOOP, "bomb": BOMB, "deep": DEEP, "regex": REGEX, "throw": THROW, "huge": HUGE}


def test_f26_hostile_scripts_harm_only_their_own_devices(rig: Rig) -> None:
    """Each of the six attacks has a model and a lamp of its own, and sends as often as it takes to be switched off. The
    scripts bear the moment they were written, as the page's do: letters that may be older than a script are read anew."""
    own, euis = rig.store.tenant(TOWN), {name: f"70b3d57ed300000{number}" for number, name in enumerate(EVIL)}
    for name, source in EVIL.items():
        own.put_script(Script(TOWN, f"town/{name}", name, "lamp", source, changed_at=datetime.now(UTC)))
    lines = [f"E-{name},lamp,,48.7,13.8,nord,,{eui},town/{name},40,," for name, eui in euis.items()]
    rows, problems = parse(("\n".join([",".join(COLUMNS), *lines]) + "\n").encode(), {f"town/{name}" for name in EVIL})
    assert not problems
    own.import_rows(rows)
    bridge, frames = rig.bridge(), 4
    for number in range(frames):
        for eui in euis.values():
            rig.publisher.send(rig.fleet.topic(eui), encode(up(bytes([number]), eui=eui, f_port=5, f_cnt=number + 1, time=_now(),
                                                               dedup=f"evil-{eui}-{number}")))
        rig.publisher.publish(100)
    rig.wait_drained()
    evil = frames * len(EVIL)
    counted = until(lambda: (now := invariant.balance(bridge))["received"] == frames * 100 + evil and now, said=bridge.said)
    assert (counted["stored"], counted["dead_letters"]) == (frames * 100, evil), rig.store.count_letters()
    until(lambda: own.script("town/loop").off and own.script("town/bomb").off, said=bridge.said)
    assert not own.script("town/throw").off, "an error of its own is no breach of the limits"
    assert bridge.stop() == 0
    rig.check()


def _tenants(rig: Rig) -> set[str]:
    """Whose points InfluxDB has, wherever they are."""
    found: set[str] = set()
    with closing(open_sink(Influx(url=rig.influx.url))) as sink:
        names = [str(values["name"]) for values in sink.query("SHOW DATABASES")]
    for name in names:
        with closing(open_sink(Influx(url=rig.influx.url, bucket=name))) as sink:
            found |= {str(row["value"]) for row in sink.query('SHOW TAG VALUES WITH KEY = "tenant"')}
    return found

