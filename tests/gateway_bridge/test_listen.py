"""The listening loop on a real store and log: once stored, once counted, acknowledged only afterwards."""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from city.alarms import AlarmKind, begin
from city.errors import BrokerDown, StoreDown, Unsupported
from city.ids import TenantId
from city.orders import MulticastGroup
from city.quantities import (
    BAY_OCCUPIED,
    DEVICE_BATTERY,
    DEVICE_BOOT,
    DEVICE_LINK_MARGIN,
    LAMP_ILLUMINANCE,
    LAMP_LEVEL,
    RADIO_FCNT,
    RADIO_RSSI,
    RADIO_SNR,
)
from city.readings import Entry
from city.settings import Bridge
from city.store.ports import DeadLetter, Facts
from decoders.catalog import codec_of
from gateway_bridge.letters import _chosen as chosen
from gateway_bridge.listen import Listener
from gateway_bridge.mend import REQUESTED, Mender, replay, request
from gateway_bridge.ship import TOPIC as LINES
from tests.gateway_bridge.samples import EUI, TIME, TIME_NS, encode, other, topic, up
from tests.gateway_bridge.town import BAY, BAY_EUI, LAMP, NOW, Instead, Town, register_assets, small_town


async def test_a_real_uplink_is_readable_in_the_history(town: Town) -> None:
    assert await town.hear("up", up()) == 1
    assert [point.value for point in town.history(LAMP_LEVEL)] == [25.0]
    assert [point.value for point in town.history(RADIO_RSSI)] == [-97.0]
    assert [point.value for point in town.history(RADIO_SNR)] == [7.5]
    assert town.history(LAMP_ILLUMINANCE)[0].value == pytest.approx(299.9, abs=0.1)
    state = town.known().state
    assert (state.session, state.f_cnt, state.gateway) == ("00189440", 1042, "0016c001f153a14c")
    assert state.heard_ns == TIME_NS
    assert [message.payload for message in town.link.acknowledged] == [encode(up())]


@pytest.mark.parametrize("again", [up(), up(dedup="another-number")], ids=["redelivered", "processed twice"])
async def test_the_same_event_twice_is_one_reading(town: Town, again: dict[str, object]) -> None:
    await town.hear("up", up())
    await town.hear("up", again)
    assert len(town.history(LAMP_LEVEL)) == 1
    assert town.known().state.window.missing == 0
    assert town.metrics.balance() == {"received": 2, "stored": 1, "duplicates": 1, "dead_letters": 0, "queued": 0}


async def test_the_same_event_twice_in_one_batch_is_one_reading(town: Town) -> None:
    for _ in range(2):
        town.link.deliver(topic("up"), encode(up()))
    assert await town.listener.step() == 2
    assert len(town.history(LAMP_LEVEL)) == 1
    assert town.metrics.balance()["duplicates"] == 1


async def test_garbage_is_a_dead_letter_with_its_reason_and_the_loop_goes_on(town: Town) -> None:
    for payload in (b"\x00garbage", b"{", encode(up())):
        town.link.deliver(topic("up"), payload)
    town.link.deliver("nonsense", b"?")
    assert await town.listener.step() == 4
    assert town.store.count_letters() == {"MalformedEvent": 3}
    assert len(town.history(LAMP_LEVEL)) == 1
    assert len(town.link.acknowledged) == 4
    assert town.metrics.balance() == {"received": 4, "stored": 1, "duplicates": 0, "dead_letters": 3, "queued": 0}


async def test_an_unknown_device_is_a_letter_that_replays_once_the_device_is_registered(tmp_path: Path) -> None:
    with small_town(tmp_path, register=False) as town:
        await town.hear("up", up())
        (letter,) = town.store.all_letters()
        assert (letter.reason, letter.tenant, letter.payload) == ("UnknownDevice", None, encode(up()))
        assert replay(town.store, town.log, letter, NOW, town.reader) == "UnknownDevice"
        assert town.store.letter(letter.id).count == 1
        register_assets(town.own)
        assert replay(town.store, town.log, letter, NOW, town.reader) == ""
        assert town.store.all_letters() == []
        assert [point.value for point in town.history(LAMP_LEVEL)] == [25.0]


async def test_an_undecodable_frame_is_kept_whole_and_still_a_sign_of_life(town: Town) -> None:
    silent = begin(TenantId("musterstadt"), LAMP, AlarmKind.DEVICE_SILENT, NOW - timedelta(hours=5))
    town.store.commit(Facts(alarms=(silent,)))
    await town.hear("up", up(b"\x01\x02", f_cnt=7))
    (letter,) = town.store.all_letters()
    assert (letter.reason, letter.tenant) == ("Truncated", "musterstadt")
    known = town.known()
    assert (known.state.heard_ns, known.state.f_cnt, known.state.value(RADIO_FCNT)) == (TIME_NS, 7, 7)
    assert known.alarms == ()
    assert town.log.head() == 0
    assert town.metrics.balance() == {"received": 1, "stored": 0, "duplicates": 0, "dead_letters": 1, "queued": 0}


async def test_another_tenants_claim_on_a_device_is_refused(tmp_path: Path) -> None:
    with small_town(tmp_path, bind="00000000-0000-0000-0000-000000000000") as town:
        await town.hear("up", up())
        (letter,) = town.store.all_letters()
        assert (letter.reason, letter.tenant) == ("ForeignDevice", "musterstadt")
        assert town.known().state.heard_ns == 0


@pytest.mark.parametrize(("time", "reason"), [("2026-07-18T10:36:00Z", "FromTheFuture"),
                                              ("9999-12-31T23:59:59Z", "FromTheFuture"),
                                              ("2025-06-01T00:00:00Z", "TooOld"), ("0001-01-01T00:00:00Z", "TooOld")])
async def test_events_dated_where_no_event_can_be_are_letters(town: Town, time: str, reason: str) -> None:
    await town.hear("up", up(time=time, rxInfo=[]))
    assert town.store.count_letters() == {reason: 1}


async def test_an_older_event_is_kept_but_never_becomes_the_present(town: Town) -> None:
    await town.hear("up", up(f_cnt=11))
    await town.hear("up", up(bytes.fromhex("09FE6405"), f_port=60, f_cnt=10, time="2026-07-18T09:30:00Z"))
    await town.hear("up", up(b"", f_port=0, f_cnt=9, time="2026-07-18T09:20:00Z"))
    state = town.known().state
    assert (state.f_cnt, state.value(RADIO_FCNT), state.heard_ns) == (11, 11, TIME_NS)
    assert [point.value for point in town.history(RADIO_FCNT)] == [9, 10, 11]


async def test_missed_uplinks_are_counted_inside_a_session_only(town: Town) -> None:
    for minute, f_cnt in enumerate([10, 11, 15, 3, 4, 40_000]):
        await town.hear("up", up(b"", f_port=0, f_cnt=f_cnt, time=f"2026-07-18T09:0{minute}:00Z"))
    assert town.known().state.window.missing == 3
    await town.hear("join", other(devAddr="00189499", time="2026-07-18T09:10:00Z"))
    await town.hear("up", up(b"", f_port=0, f_cnt=2, devAddr="00189499", time="2026-07-18T09:11:00Z"))
    state = town.known().state
    assert (state.window.missing, state.session, state.f_cnt) == (5, "00189499", 2)
    await town.hear("up", up(b"", f_port=0, f_cnt=40_001, time="2026-07-18T09:09:00Z"))
    assert town.known().state.session == "00189499"


async def test_events_of_one_batch_are_taken_in_the_order_of_their_times(town: Town) -> None:
    for f_cnt, time in ((3, "09:03"), (1, "09:01"), (2, "09:02")):
        town.link.deliver(topic("up"), encode(up(b"", f_port=0, f_cnt=f_cnt, time=f"2026-07-18T{time}:00Z")))
    await town.listener.step()
    state = town.known().state
    assert (state.f_cnt, state.missed) == (3, 0)


async def test_status_and_join_and_bay_events_become_readings(town: Town) -> None:
    await town.hear("status", other(margin=10, externalPowerSource=False, batteryLevel=75.5))
    await town.hear("join", other(devAddr="00189440"))
    await town.hear("up", up(b"\x01", f_port=1, eui=BAY_EUI), BAY_EUI)
    assert [point.value for point in town.history(DEVICE_LINK_MARGIN)] == [10.0]
    assert [point.value for point in town.history(DEVICE_BATTERY)] == [75.5]
    assert [point.value for point in town.history(DEVICE_BOOT)] == ["join"]
    assert [point.value for point in town.history(BAY_OCCUPIED, BAY)] == [True]


async def test_an_alarm_begins_and_ends_with_what_the_lamp_says(town: Town) -> None:
    await town.hear("up", up(time="2026-07-18T09:30:00Z", f_cnt=1))
    assert {alarm.kind for alarm in town.known().alarms} == {AlarmKind.DRIVER_SILENT}
    well = bytes.fromhex("01F37F205E800032091600" "00" "FE501900")
    await town.hear("up", up(well, time="2026-07-18T09:31:00Z", f_cnt=2))
    assert len(town.known().alarms) == 1, "it may alternate"
    town.clock.advance(660)
    await town.hear("up", up(well, time="2026-07-18T09:42:00Z", f_cnt=3))
    assert town.known().alarms == ()


async def test_a_gateway_with_a_wrong_clock_is_named_in_the_metrics(town: Town) -> None:
    await town.hear("up", up(time="2026-07-18T10:30:00Z", rxInfo=[{"gatewayId": "0016c001f153a14c", "nsTime": TIME}]))
    assert town.known().state.heard_ns == TIME_NS
    assert b'gateway_clock_wrong_total{gateway="0016c001f153a14c"} 1.0' in town.metrics.text()


class BrokenLog(Instead):
    """A log on a disk that is full until it is mended."""

    def __init__(self, town: Town, error: Exception) -> None:
        super().__init__(town.log)
        self._error, self.broken = error, True

    def append(self, entries: Sequence[Entry]) -> int:
        if self.broken:
            raise self._error
        return int(self.of.append(entries))


async def test_with_the_log_down_nothing_is_acknowledged_and_nothing_is_lost(town: Town) -> None:
    broken = BrokenLog(town, StoreDown("The disk is full."))
    listener = Listener(town.link, town.store, broken, town.clock, Bridge(linger_ms=0), town.metrics)  # type: ignore[arg-type]
    town.link.deliver(topic("up"), encode(up()))
    for _ in range(3):
        with pytest.raises(StoreDown):
            await listener.step()
    assert town.link.acknowledged == []
    assert town.metrics.balance() == {"received": 1, "stored": 0, "duplicates": 0, "dead_letters": 0, "queued": 1}
    assert town.known().state.heard_ns == 0
    broken.broken = False
    assert await listener.step() == 1
    assert len(town.history(LAMP_LEVEL)) == 1
    assert len(town.link.acknowledged) == 1


async def test_a_crash_between_log_and_database_is_mended_by_redelivery(town: Town) -> None:
    class HalfStore(Instead):
        @staticmethod
        def commit(facts: Facts) -> None:
            raise StoreDown("{count} entries are in the log, and then the lights went out.", count=len(facts.entries))

    dying = Listener(town.link, HalfStore(town.store), town.log, town.clock, Bridge(linger_ms=0), town.metrics)  # type: ignore[arg-type]
    town.link.deliver(topic("up"), encode(up()))
    with pytest.raises(StoreDown):
        await dying.step()
    assert len(town.history(LAMP_LEVEL)) == 1
    town.link.disconnect()
    town.link.reconnect()
    assert await town.listener.step() == 1
    assert len(town.history(LAMP_LEVEL)) == 1
    assert town.known().state.f_cnt == 1042


async def test_a_message_that_storage_chokes_on_is_taken_out_and_the_rest_is_kept(town: Town) -> None:
    class Choosy(Instead):
        """A log that cannot take the counter 2."""

        @staticmethod
        def append(entries: Sequence[Entry]) -> int:
            if any(entry.key.endswith(":2") for entry in entries):
                raise ValueError("indigestible")
            return town.log.append(entries)

    listener = Listener(town.link, town.store, Choosy(town.log), town.clock, Bridge(linger_ms=0), town.metrics)  # type: ignore[arg-type]
    for f_cnt in range(5):
        town.link.deliver(topic("up"), encode(up(b"", f_port=0, f_cnt=f_cnt, time=f"2026-07-18T09:0{f_cnt}:00Z")))
    assert await listener.step() == 5
    assert [point.value for point in town.history(RADIO_FCNT)] == [0, 1, 3, 4]
    assert town.store.count_letters() == {"InternalError": 1}
    assert town.metrics.balance() == {"received": 5, "stored": 4, "duplicates": 0, "dead_letters": 1, "queued": 0}


async def test_a_refusing_broker_is_reported_by_the_step(town: Town) -> None:
    town.link.refuse(BrokerDown("no"))
    with pytest.raises(BrokerDown):
        await town.listener.step()


async def test_letters_of_the_same_message_are_one_letter_that_counts(town: Town) -> None:
    for _ in range(3):
        town.clock.advance(1)
        await town.hear("up", b"{")
    (letter,) = town.store.all_letters()
    assert letter.count == 3
    assert replace(letter, payload=b"").topic == topic("up", EUI)


async def test_a_requested_letter_is_replayed_by_the_bridge_or_told_why_not(tmp_path: Path) -> None:
    with small_town(tmp_path, register=False) as town:
        await town.hear("up", up())
        await town.hear("up", b"{")
        register_assets(town.own)
        request(town.store, town.store.all_letters(), NOW + timedelta(seconds=1))
        assert town.store.count_letters() == {REQUESTED: 2}
        mender = Mender(town.store, town.log, town.clock, asyncio.Lock())
        assert await mender.step() == 2
        assert await mender.step() == 0
        (left,) = town.store.all_letters()
        assert (left.reason, left.count, left.payload) == ("MalformedEvent", 1, b"{")
        assert [point.value for point in town.history(LAMP_LEVEL)] == [25.0]


async def test_a_letter_that_storage_cannot_take_does_not_stand_before_the_others(tmp_path: Path) -> None:
    with small_town(tmp_path, register=False) as town:
        await town.hear("up", up())
        register_assets(town.own)
        request(town.store, town.store.all_letters(), NOW + timedelta(seconds=1))
        broken = BrokenLog(town, RuntimeError("no such thing"))
        mender = Mender(town.store, broken, town.clock, asyncio.Lock())  # type: ignore[arg-type]
        assert await mender.step() == 1
        assert await mender.step() == 0
        (left,) = town.store.all_letters()
        assert (left.reason, left.detail) == ("InternalError", "RuntimeError: no such thing")


async def test_a_line_that_influxdb_refused_is_not_replayed_as_an_event(town: Town) -> None:
    town.store.commit(Facts(letters=(DeadLetter("l1", NOW, LINES, b"lamp level=1 5", "RejectedLines", "no"),)))
    with pytest.raises(Unsupported, match="ship replay"):
        chosen(town.store, argparse.Namespace(id="l1", all=False, reason=None))
    assert chosen(town.store, argparse.Namespace(id=None, all=True, reason=None)) == []


async def test_the_echo_of_a_key_is_not_kept_in_the_log(town: Town) -> None:
    key = codec_of("nas/ul20xx").encode_downlink(MulticastGroup(0, "11223344", "ab" * 16, "cd" * 16))
    await town.hear("up", up(key.data, f_port=key.port))
    await town.hear("up", up(f_cnt=1043))
    entries = [entry for _, entry in town.log.after(0, 10)]
    assert [(entry.f_port, entry.data != b"") for entry in entries] == [(50, False), (23, True)]
    assert "ab" * 16 not in repr(entries)


async def test_an_event_that_the_broker_has_kept_is_a_letter_and_no_news(town: Town) -> None:
    for _ in range(2):  # at each subscription
        town.link.deliver(topic("up"), encode(up()), retain=True)
        await town.listener.step()
        town.clock.advance(1)
    assert town.known().state.heard_ns == 0
    (letter,) = town.store.all_letters()
    assert (letter.reason, letter.count) == ("RetainedEvent", 2)
    assert len(town.link.acknowledged) == 2


@pytest.mark.parametrize(("age_s", "over"), [(1, {"musterstadt"}), (120, set())], ids=["live", "what waited in an outage"])
async def test_a_town_that_sends_more_than_is_expected_is_said_and_loses_nothing(town: Town, caplog: pytest.LogCaptureFixture,
                                                                                  age_s: int, over: set[str]) -> None:
    settings = Bridge(linger_ms=0, town_per_s=1)
    listener = Listener(town.link, town.store, town.log, town.clock, settings, town.metrics)
    for f_cnt in range(20):
        town.link.deliver(topic("up"), encode(up(f_cnt=f_cnt, time=town.stamp(f_cnt * 0.01 - age_s))))
    await listener.step()
    assert town.metrics.balance()["stored"] == 20
    assert town.metrics.over_rate == over
    assert ("musterstadt sends more" in caplog.text) is bool(over)
    page = town.metrics.text().decode()
    assert f"stadtfunk_bridge_towns_over_rate {len(over):.1f}" in page
    assert 'stadtfunk_bridge_stored_by_town_total{tenant="musterstadt"} 20.0' in page
