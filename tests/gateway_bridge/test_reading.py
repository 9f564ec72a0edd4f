"""Models without a codec of ours: a town's script, the network server's `object`, and what becomes of bad scripts.

The sandbox is a stand-in here that answers at once; tests/journeys runs a real one.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from city.alarms import AlarmKind
from city.commands import State
from city.errors import SandboxDown, ScriptBreach, ScriptError, StoreDown
from city.groups import Target
from city.ids import AssetId, DevEui, OverrideId, TenantId
from city.imports import COLUMNS, parse
from city.quantities import LAMP_LEVEL, LAMP_POWER, quantity
from city.readings import Entry
from city.scripts import LeafMapping, Rule, Script
from city.settings import Bridge, Scripts
from city.store.ports import ConfigWish
from decoders.catalog import catalog, vectors_path
from decoders.codec import Frame, whole
from decoders.javascript import Decoded, Program, Uplinked
from decoders.vectors import load
from gateway_bridge.link import Message
from gateway_bridge.listen import Listener, parse_all
from gateway_bridge.mend import Mender
from gateway_bridge.pipeline import Arrival, handle_all
from gateway_bridge.reading import AT_FIRST, AT_MOST, Reader
from tests.gateway_bridge.samples import encode, other, topic, up
from tests.gateway_bridge.test_inspect import inspector
from tests.gateway_bridge.town import NOW, Instead, Town, small_town

MODEL, TOWN = "acme/x1", TenantId("musterstadt")
X1, X2, BARE, X9 = (DevEui(f"70b3d57ed00001{digits}") for digits in ("01", "02", "03", "09"))
CSV = (f"X-1,lamp,,48.7,13.8,nord,,{X1},{MODEL},40,,\nX-2,lamp,,48.7,13.8,nord,,{X2},{MODEL},40,,\n"
       f"X-3,lamp,,48.7,13.8,nord,,{BARE},acme/bare,40,,\n")
LAMP = AssetId("X-1")
MAPPING = LeafMapping(rules=(Rule(leaf="dim", quantity="lamp.level"), Rule(leaf="mw", quantity="lamp.power", scale=0.001)),
                      orders={"SetLevel": {"dim": "$level"}, "Resume": {"auto": True}})
SCRIPT = Script(TOWN, MODEL, "X1", "lamp", "function decodeUplink(input) {}", MAPPING, device_class="C",
                changed_at=NOW - timedelta(days=1), changed_by="ada")
TEMP, WORD = quantity(f"raw/{MODEL}.temp"), quantity(f"raw/{MODEL}.word:text")
BREACH = ScriptBreach("The script took longer than {seconds} s.", seconds=0.1)


class FakeSandbox:
    """Answers with what `says` makes of each frame, and keeps what it was asked."""

    def __init__(self) -> None:
        self.says: Callable[[Frame], dict[str, Any] | ScriptError] = lambda _: {"dim": 40, "mw": 1500, "temp": 21.5}
        self.parts: list[int] = []
        self.asked: list[Uplinked] = []
        self.encoded: list[Mapping[str, Any]] = []
        self.refuses: ScriptError | None = None
        self.down = False
        self.watched: asyncio.Lock | None = None

    @property
    def frames(self) -> int:
        return len(self.asked)

    def decode_uplinks(self, program: Program, uplinks: Sequence[Uplinked], *,
                       normalize: bool = False) -> list[Decoded | ScriptError]:  # noqa: ARG002
        assert self.watched is None or not self.watched.locked()
        if self.down:
            raise SandboxDown("No process can be started.")
        assert program.source == SCRIPT.source
        self.parts.append(len(uplinks))
        self.asked += uplinks
        said = [self.says(uplink.frame) for uplink in uplinks]
        return [item if isinstance(item, ScriptError) else Decoded(item) for item in said]

    def encode_downlink(self, program: Program, data: Mapping[str, Any], *,  # noqa: ARG002
                        variables: Mapping[str, str] = {}) -> Frame:  # noqa: ARG002
        if self.down:
            raise SandboxDown("No process can be started.")
        self.encoded.append(data)
        if self.refuses is not None:
            raise self.refuses
        return Frame(10, json.dumps(data).encode())

    def close(self) -> None:
        pass


@pytest.fixture
def sandbox() -> FakeSandbox:
    return FakeSandbox()


@pytest.fixture
def town(tmp_path: Path, sandbox: FakeSandbox) -> Iterator[Town]:
    """The small town with two lamps of a model that it has a script for, and one of a model that nobody knows."""
    with small_town(tmp_path, sandbox=sandbox) as made:  # type: ignore[arg-type]
        rows, problems = parse((",".join(COLUMNS) + "\n" + CSV).encode(), {MODEL, "acme/bare"})
        assert not problems
        made.own.import_rows(rows)
        made.own.put_script(SCRIPT)
        yield made


def frame(number: int, *, eui: str = X1, data: bytes = b"\x01\x02", f_port: int = 10, **more: Any) -> bytes:
    """An uplink so many seconds before now."""
    at = NOW - timedelta(minutes=30) + timedelta(seconds=number)
    return encode(up(data, eui=eui, f_port=f_port, f_cnt=number, time=at.isoformat(timespec="milliseconds"), rxInfo=[],
                     **more))


async def hear(town: Town, *payloads: bytes, eui: str = X1) -> None:
    for payload in payloads:
        town.link.deliver(topic("up", eui), payload)
    while payloads and len(town.link.acknowledged) < town.metrics.balance()["received"] + len(payloads):
        payloads = payloads[await town.listener.step():]


def reasons(town: Town) -> dict[str, int]:
    return dict(town.store.count_letters())


def alarms(town: Town) -> list[tuple[str, AlarmKind]]:
    return [(alarm.asset, alarm.kind) for alarm in town.own.alarms() if alarm.kind is AlarmKind.SCRIPT_OFF]


def mender(town: Town, reader: Reader | None = None) -> Mender:
    return Mender(town.store, town.log, town.clock, town.turn, reader or town.reader)


def entries(town: Town) -> list[Entry]:
    return [entry for _, entry in town.log.after(0, 1000)]


# scripts

async def test_a_towns_script_reads_its_frames_mapped_and_raw(town: Town, sandbox: FakeSandbox) -> None:
    sandbox.says = lambda _: {"dim": 40, "mw": 1500, "temp": 21.5, "word": "ok"}
    await hear(town, frame(1))
    assert [point.value for point in town.history(LAMP_LEVEL, LAMP)] == [40.0]
    assert [point.value for point in town.history(LAMP_POWER, LAMP)] == [1.5]
    assert [point.value for point in town.history(TEMP, LAMP)] == [21.5]
    assert [point.value for point in town.history(WORD, LAMP)] == ["ok"]
    [asked] = sandbox.asked
    assert (asked.frame, asked.at) == (Frame(10, b"\x01\x02"), NOW - timedelta(minutes=30) + timedelta(seconds=1))
    state = town.known(X1).state
    assert (state.f_cnt, state.value(LAMP_LEVEL), state.value(TEMP)) == (1, 40.0, 21.5)
    assert entries(town)[0].data == b"\x01\x02"
    assert reasons(town) == {}


async def test_our_own_codec_comes_before_a_towns_script_and_the_network_server(town: Town, sandbox: FakeSandbox) -> None:
    town.own.put_script(replace(SCRIPT, model="nas/ul20xx"))
    await town.hear("up", up())
    assert [point.value for point in town.history(LAMP_LEVEL)] == [25.0]
    assert sandbox.parts == []


async def test_a_device_that_is_registered_as_another_model_is_read_by_that_ones_script_at_once(
        town: Town, sandbox: FakeSandbox) -> None:
    for number, (model, calls) in enumerate([("nas/ul20xx", 0), (MODEL, 1), ("nas/ul20xx", 1), (MODEL, 2)]):
        rows, _ = parse((",".join(COLUMNS) + f"\nX-1,lamp,,48.7,13.8,nord,,{X1},{model},40,,\n").encode(), {model})
        town.own.import_rows(rows)
        await hear(town, frame(number, data=b"", f_port=0), frame(number + 100))
        assert sandbox.frames == calls
    assert len(town.history(LAMP_LEVEL, LAMP)) == 2


async def test_a_script_that_cannot_read_a_frame_leaves_a_letter_and_a_sign_of_life(town: Town, sandbox: FakeSandbox) -> None:
    sandbox.says = lambda _: ScriptError("The script says: {what}", what="unknown frame")
    await hear(town, frame(1))
    (letter,) = town.store.all_letters()
    assert (letter.reason, letter.detail, letter.tenant) == ("ScriptError", "The script says: unknown frame", TOWN)
    assert town.known(X1).state.f_cnt == 1
    assert town.history(LAMP_LEVEL, LAMP) == []
    assert len(town.link.acknowledged) == 1


async def test_a_batch_is_put_to_a_script_in_growing_parts_outside_the_lock(town: Town, sandbox: FakeSandbox) -> None:
    sandbox.watched = town.turn
    sandbox.says = lambda frame: {"dim": frame.data[0]}
    await hear(town, *(frame(n, data=bytes([n])) for n in range(1, 91)))
    assert sandbox.parts == [AT_FIRST, 6, 12, 24, AT_MOST, 13]
    assert [point.value for point in town.history(LAMP_LEVEL, LAMP)] == [float(n) for n in range(1, 91)]


async def test_a_frame_without_a_port_is_a_sign_of_life_that_no_script_sees(town: Town, sandbox: FakeSandbox) -> None:
    await hear(town, frame(1, data=b"", f_port=0), frame(2), frame(3, data=b"", f_port=0))
    assert sandbox.frames == 1
    assert town.known(X1).state.f_cnt == 3
    assert reasons(town) == {}


async def test_bytes_are_not_kept_where_a_part_of_them_is_about_a_person(town: Town, sandbox: FakeSandbox) -> None:
    sandbox.says = lambda _: {"dim": 40, "tag": "ab:cd"}
    town.own.put_script(replace(SCRIPT, mapping=LeafMapping(rules=MAPPING.rules, dropped=("tag",))))
    await hear(town, frame(1))
    sandbox.says = lambda _: {"dim": 40, "temp": 3}
    await hear(town, frame(2))
    assert [entry.data for entry in entries(town)] == [b"", b"\x01\x02"]
    assert not any("ab:cd" in str(reading.value) for entry in entries(town) for reading in entry.readings)


async def test_a_device_says_so_many_different_things_at_most(town: Town, sandbox: FakeSandbox) -> None:
    sandbox.says = lambda frame: {f"v{frame.data[0]}-{n}": n for n in range(128)}
    await hear(town, frame(1, data=b"\x01"), frame(2, data=b"\x02"), frame(3, data=b"\x03"), frame(4, data=b"\x02"))
    assert reasons(town) == {"TooManySeries": 1}
    assert sum(name.startswith("raw/") for name in town.known(X1).state.last) == 256
    assert town.known(X1).state.f_cnt == 4


async def test_a_new_version_that_names_things_anew_has_room_for_them(town: Town, sandbox: FakeSandbox) -> None:
    sandbox.says = lambda _: {f"old{n}": n for n in range(250)} | {"dim": 1}
    await hear(town, frame(1))
    town.own.put_script(replace(SCRIPT, changed_at=NOW - timedelta(minutes=29)))
    sandbox.says = lambda _: {f"new{n}": n for n in range(250)} | {"dim": 2}
    await hear(town, frame(100), frame(101))
    assert reasons(town) == {}
    raw = {name for name in town.known(X1).state.last if name.startswith("raw/")}
    assert raw == {f"raw/{MODEL}.new{n}" for n in range(250)}
    sandbox.says = lambda _: {f"more{n}": n for n in range(250)}
    await hear(town, frame(102))
    assert reasons(town) == {"TooManySeries": 1}
    assert [point.value for point in town.history(quantity(f"raw/{MODEL}.old7"), LAMP)] == [7.0]


async def test_a_mapping_that_changes_leaves_what_was_kept_raw_as_it_was(town: Town, sandbox: FakeSandbox) -> None:
    for number, value in enumerate((21.5, "warm", True, 22)):
        sandbox.says = lambda _, value=value: {"temp": value}  # type: ignore[misc]
        await hear(town, frame(number))
    town.own.put_script(replace(SCRIPT, changed_at=NOW, mapping=LeafMapping(rules=(
        Rule(leaf="temp", quantity="device.temperature"),))))
    sandbox.says = lambda _: {"temp": 23}
    await hear(town, frame(10))
    assert [point.value for point in town.history(TEMP, LAMP)] == [21.5, 22.0]
    assert [point.value for point in town.history(quantity(f"raw/{MODEL}.temp:text"), LAMP)] == ["warm"]
    assert [point.value for point in town.history(quantity(f"raw/{MODEL}.temp:flag"), LAMP)] == [True]
    assert [point.value for point in town.history(quantity("device.temperature"), LAMP)] == [23.0]


async def test_a_message_over_which_the_reader_stumbles_is_taken_out(town: Town, sandbox: FakeSandbox) -> None:
    def says(frame: Frame) -> dict[str, Any]:
        if frame.data == b"\x02":
            raise RuntimeError("a fault of ours")
        return {"dim": 40}

    sandbox.says = says
    await hear(town, *(frame(n, data=bytes([n])) for n in range(1, 5)))
    assert reasons(town) == {"InternalError": 1}
    assert len(town.history(LAMP_LEVEL, LAMP)) == 3


@pytest.mark.parametrize("model", [model for model, codec in catalog().items() if codec.keepable is not whole])
async def test_of_a_frame_with_what_is_about_a_person_only_the_rest_is_kept(town: Town, model: str) -> None:
    codec = catalog()[model]
    vectors = [vector.frame for vector in load(vectors_path(model)).uplinks if vector.reads
               and codec.keepable(vector.frame) != vector.frame.data]
    row = f"X-9,{codec.asset},,48.7,13.8,nord,,{X9},{model},,,\n"
    rows, problems = parse((",".join(COLUMNS) + "\n" + row).encode(), {model})
    assert not problems
    town.own.import_rows(rows)
    for number, sent in enumerate(vectors):
        await hear(town, frame(number, eui=X9, data=sent.data, f_port=sent.port), eui=X9)
    kept = [entry.data for entry in entries(town)]
    assert len(kept) == len(vectors) > 0
    assert all(data in (b"", codec.keepable(sent)) for data, sent in zip(kept, vectors, strict=True))


# what the network server has decoded

async def test_what_nobody_has_described_is_kept_as_the_network_server_says_it(town: Town, sandbox: FakeSandbox) -> None:
    await hear(town, frame(1, eui=BARE, object={"env": {"t": 4.5}, "ok": True}), eui=BARE)
    asset = AssetId("X-3")
    assert [point.value for point in town.history(quantity("raw/acme/bare.env.t"), asset)] == [4.5]
    assert [point.value for point in town.history(quantity("raw/acme/bare.ok:flag"), asset)] == [True]
    assert sandbox.parts == []


@pytest.mark.parametrize("said", [None, {}])
async def test_a_model_that_nobody_knows_and_nobody_decodes_is_a_letter(town: Town, said: object) -> None:
    await hear(town, frame(1, eui=BARE, object=said), eui=BARE)
    assert reasons(town) == {"UnknownModel": 1}
    assert town.known(BARE).state.f_cnt == 1


async def test_a_mapping_without_a_script_gives_meaning_to_what_the_network_server_says(
        town: Town, sandbox: FakeSandbox) -> None:
    town.own.put_script(replace(SCRIPT, source=""))
    await hear(town, frame(1, object={"dim": 70, "temp": 1}), frame(2, object=None), frame(3, f_port=0, object=None))
    assert [point.value for point in town.history(LAMP_LEVEL, LAMP)] == [70.0]
    assert [point.value for point in town.history(TEMP, LAMP)] == [1.0]
    assert reasons(town) == {"ScriptError": 1}
    assert sandbox.parts == []


async def test_an_object_that_is_too_large_or_says_too_much_is_a_letter(town: Town) -> None:
    await hear(town, frame(1, eui=BARE, object={"x": "y" * 70_000}), eui=BARE)
    await hear(town, frame(2, eui=BARE, object={f"v{n}": n for n in range(300)}), eui=BARE)
    assert reasons(town) == {"OutOfRange": 1, "TooManySeries": 1}


def test_a_device_registered_as_another_model_while_it_was_read_is_a_letter(town: Town) -> None:
    [arrival] = town.reader.read(parse_all([Message(topic("up", X1), frame(1))]), NOW)
    assert arrival.read is not None
    other = Arrival(arrival.message, arrival.event, structs.replace(arrival.read, model="acme/x0"))
    facts = handle_all([other], town.store.view([X1]), NOW).facts
    assert [letter.reason for letter in facts.letters] == ["UnknownModel"]


# breaches

async def test_a_script_that_keeps_breaking_its_limits_is_switched_off_with_an_alarm(
        town: Town, sandbox: FakeSandbox) -> None:
    sandbox.says = lambda _: BREACH
    await hear(town, *(frame(n) for n in range(1, 41)))
    assert sandbox.frames == 3
    assert reasons(town) == {"ScriptBreach": 3, "ScriptOff": 37}
    assert alarms(town) == [("X-1", AlarmKind.SCRIPT_OFF)]
    script = town.own.script(MODEL)
    assert "3 times within 10 minutes" in script.off
    assert "0.1" in script.off
    assert [(line.actor, line.action, line.target) for line in town.own.audit_lines()] == [
        ("bridge", "switch codec off", f"model {MODEL}")]
    await hear(town, frame(50))
    assert sandbox.frames == 3
    assert reasons(town)["ScriptOff"] == 38
    assert town.known(X1).state.f_cnt == 50
    counted = town.metrics.text()
    assert b'script_breaches_total{model="acme/x1",tenant="musterstadt"} 3.0' in counted
    assert b'scripts_switched_off_total{model="acme/x1",tenant="musterstadt"} 1.0' in counted


async def test_other_models_and_towns_are_read_as_before(town: Town, sandbox: FakeSandbox) -> None:
    sandbox.says = lambda _: BREACH
    for payload in (frame(1), frame(2), frame(3)):
        town.link.deliver(topic("up", X1), payload)
    town.link.deliver(topic("up"), encode(up()))
    town.link.deliver(topic("up", BARE), frame(4, eui=BARE, object={"t": 1}))
    assert await town.listener.step() == 5
    assert [point.value for point in town.history(LAMP_LEVEL)] == [25.0]
    assert len(town.history(quantity("raw/acme/bare.t"), AssetId("X-3"))) == 1


async def test_breaches_far_apart_do_not_switch_a_script_off(town: Town, sandbox: FakeSandbox) -> None:
    sandbox.says = lambda _: BREACH
    for n in range(6):
        await hear(town, frame(n))
        town.clock.advance(6 * 60)
    assert town.own.script(MODEL).off == ""
    assert sandbox.frames == 6


async def test_a_frame_that_is_delivered_again_has_broken_the_limits_once(town: Town, sandbox: FakeSandbox) -> None:
    class Full(Instead):
        """A log that cannot be written."""

        @staticmethod
        def append(entries: Sequence[Entry]) -> int:
            raise StoreDown("The disk is full, {count} entries wait.", count=len(entries))

    sandbox.says = lambda frame: BREACH if frame.data == b"\x01" else {"dim": 1}
    listener = Listener(town.link, town.store, Full(town.log), town.clock, Bridge(linger_ms=0), town.metrics,  # type: ignore[arg-type]
                        turn=town.turn, reader=town.reader)
    town.link.deliver(topic("up", X1), frame(1, data=b"\x01"))
    town.link.deliver(topic("up", X1), frame(2, data=b"\x02"))
    for _ in range(4):
        with pytest.raises(StoreDown):
            await listener.step()
    assert town.own.script(MODEL).off == ""


async def test_a_bridge_that_has_just_started_counts_what_the_former_one_saw(town: Town, sandbox: FakeSandbox) -> None:
    sandbox.says = lambda _: BREACH
    await hear(town, frame(1), frame(2))
    fresh = Reader(town.store, sandbox=sandbox)  # type: ignore[arg-type]
    fresh.read(parse_all([Message(topic("up", X2), frame(3, eui=X2))]), town.clock.now())
    assert town.own.script(MODEL).off
    assert alarms(town) == [("X-2", AlarmKind.SCRIPT_OFF)]


async def test_breaches_of_an_older_version_do_not_count(town: Town, sandbox: FakeSandbox) -> None:
    sandbox.says = lambda _: BREACH
    await hear(town, frame(1), frame(2))
    town.clock.advance(1)
    town.own.put_script(replace(SCRIPT, changed_at=town.clock.now()))
    await hear(town, frame(3), frame(4))
    assert town.own.script(MODEL).off == ""
    await hear(town, frame(5))
    assert town.own.script(MODEL).off


async def test_how_often_is_a_setting(town: Town, sandbox: FakeSandbox) -> None:
    sandbox.says = lambda _: BREACH
    strict = Reader(town.store, Scripts(breaches=1), sandbox=sandbox)  # type: ignore[arg-type]
    strict.read(parse_all([Message(topic("up", X1), frame(n)) for n in range(1, 9)]), NOW)
    assert sandbox.frames == AT_FIRST
    assert town.own.script(MODEL).off


async def test_a_script_removed_meanwhile_is_not_switched_off(town: Town, sandbox: FakeSandbox) -> None:
    def says(_: Frame) -> ScriptError:
        rows, _problems = parse((",".join(COLUMNS) + "\n" + CSV.replace(MODEL, "acme/x9")).encode(), {"acme/x9", "acme/bare"})
        town.own.import_rows(rows)
        if [script.model for script in town.own.scripts()]:
            town.own.remove_script(MODEL)
        return BREACH

    sandbox.says = says
    await hear(town, *(frame(n) for n in range(1, 6)))
    assert sum(reasons(town).values()) == 5
    assert list(town.own.scripts()) == []


# a person mends it

async def _switched_off(town: Town, sandbox: FakeSandbox) -> None:
    sandbox.says = lambda _: BREACH
    await hear(town, *(frame(n) for n in range(1, 8)))
    assert alarms(town)
    sandbox.says = lambda _: {"dim": 40}
    town.clock.advance(60)


@pytest.mark.parametrize("how", ["switched on", "a new version"])
async def test_when_a_person_mends_the_script_the_letters_are_read_and_the_alarm_ends(
        town: Town, sandbox: FakeSandbox, how: str) -> None:
    await _switched_off(town, sandbox)
    healing = mender(town)
    assert await healing.step() == 0
    if how == "switched on":
        town.own.switch_script(MODEL, "", "ada", town.clock.now())
    else:
        town.own.put_script(replace(SCRIPT, changed_at=town.clock.now()))
    assert await healing.step() == 7
    assert alarms(town) == []
    assert reasons(town) == {}
    assert len(town.history(LAMP_LEVEL, LAMP)) == 7
    assert await healing.step() == 0


async def test_what_was_changed_while_the_bridge_was_away_is_mended_at_its_start(town: Town, sandbox: FakeSandbox) -> None:
    await _switched_off(town, sandbox)
    town.own.switch_script(MODEL, "", "ada", town.clock.now())
    assert await mender(town).step() == 7
    assert (alarms(town), reasons(town)) == ([], {})


async def test_a_model_that_is_described_at_last_reads_what_it_said_before(town: Town) -> None:
    healing = mender(town)
    await healing.step()
    await hear(town, frame(1, eui=BARE, object=None), eui=BARE)
    await hear(town, b"{")
    town.clock.advance(1)
    town.own.put_script(replace(SCRIPT, model="acme/bare", changed_at=town.clock.now()))
    assert await healing.step() == 1
    assert [point.value for point in town.history(LAMP_LEVEL, AssetId("X-3"))] == [40.0]
    assert reasons(town) == {"MalformedEvent": 1}


async def test_letters_that_this_version_could_not_read_are_not_tried_at_each_start(town: Town, sandbox: FakeSandbox) -> None:
    sandbox.says = lambda _: ScriptError("no")
    await hear(town, frame(1))
    for _ in range(2):
        assert await mender(town).step() == 0
    assert reasons(town) == {"ScriptError": 1}


async def test_another_towns_letters_and_alarms_are_left_alone(town: Town, sandbox: FakeSandbox) -> None:
    await _switched_off(town, sandbox)
    town.store.put_tenant(replace(town.own.tenant, id=TenantId("anderstadt")))
    town.store.tenant(TenantId("anderstadt")).put_script(replace(SCRIPT, tenant=TenantId("anderstadt")))
    assert await mender(town).step() == 0
    assert alarms(town)
    assert reasons(town) == {"ScriptBreach": 3, "ScriptOff": 4}


async def test_an_alarm_ends_with_the_first_frame_that_is_read_again(town: Town, sandbox: FakeSandbox) -> None:
    await _switched_off(town, sandbox)
    rows, _ = parse((",".join(COLUMNS) + f"\nX-1,lamp,,48.7,13.8,nord,,{X1},nas/ul20xx,40,,\n").encode(), {"nas/ul20xx"})
    town.own.import_rows(rows)
    await town.hear("up", up(eui=X1, time=town.stamp()), X1)
    assert alarms(town) == []


async def test_frames_of_the_same_batch_that_were_read_do_not_end_the_alarm(town: Town, sandbox: FakeSandbox) -> None:
    sandbox.says = lambda frame: {"dim": 1} if frame.data == b"\x09" else BREACH
    await hear(town, frame(1), frame(2), frame(3), frame(4, data=b"\x09"))
    assert alarms(town) == [("X-1", AlarmKind.SCRIPT_OFF)]


# orders

async def _reported(town: Town, sandbox: FakeSandbox, level: int) -> None:
    sandbox.says = lambda _: {"dim": level}
    await town.hear("up", up(b"\x01", eui=X1, f_port=10, f_cnt=town.clock.now().second, time=town.stamp(), rxInfo=[]), X1)


def _wish(town: Town, level: int) -> None:
    now = town.clock.now()
    mine = (Target("lamp", LAMP),)
    town.own.add_override(replace(town.wish(level, id="other"), id=OverrideId("mine"), targets=mine, start=now))


async def test_a_lamp_with_a_script_is_told_by_it_and_believed_when_it_reports(town: Town, sandbox: FakeSandbox) -> None:
    await _reported(town, sandbox, 100)
    _wish(town, 30)
    town.clock.advance(1)
    await town.steerer.tick()
    assert sandbox.encoded == [{"dim": 30}]
    [(where, payload)] = town.link.published
    assert f"/device/{X1}/" in where
    assert json.loads(payload)["fPort"] == 10
    town.clock.advance(5)
    await _reported(town, sandbox, 30)
    [command] = town.own.commands(asset=LAMP)
    assert command.state is State.APPLIED


async def test_a_lamp_whose_level_no_rule_tells_is_asked_to_acknowledge_the_frame(town: Town, sandbox: FakeSandbox) -> None:
    town.own.put_script(replace(SCRIPT, mapping=LeafMapping(orders=MAPPING.orders)))
    await _reported(town, sandbox, 100)
    _wish(town, 30)
    await town.steerer.tick()
    down = json.loads(town.link.published[0][1])
    assert down["confirmed"] is True
    town.clock.advance(3)
    await town.hear("ack", other(eui=X1, time=town.stamp(), queueItemId=down["id"], acknowledged=True), X1)
    await town.steerer.tick()
    assert [command.state for command in town.own.commands(asset=LAMP)] == [State.APPLIED]
    assert len(town.link.published) == 1


async def test_a_setting_said_by_a_script_counts_once_the_frame_is_acknowledged(town: Town, sandbox: FakeSandbox) -> None:
    orders: dict[str, dict[str, object]] = {**MAPPING.orders, "StatusInterval": {"every": "$seconds"}}
    town.own.put_script(replace(SCRIPT, mapping=LeafMapping(rules=MAPPING.rules, orders=orders)))
    await _reported(town, sandbox, 0)
    town.own.put_config_wish(ConfigWish(X1, b'{"status_interval_s":600,"usage_interval_s":900}', "ada", town.clock.now()))
    await town.steerer.tick()
    [down] = [json.loads(payload) for _, payload in town.link.published]
    assert (down["confirmed"], sandbox.encoded[-1]) == (True, {"every": 600})
    town.clock.advance(3)
    await town.hear("ack", other(eui=X1, time=town.stamp(), queueItemId=down["id"], acknowledged=True), X1)
    town.clock.advance(60)
    await town.steerer.tick()
    assert "StatusInterval" in town.known(X1).state.config
    assert [command.state for command in town.own.commands(origin="config")] == [State.APPLIED]


async def test_a_script_that_cannot_say_the_order_fails_it_with_the_reason(town: Town, sandbox: FakeSandbox) -> None:
    await _reported(town, sandbox, 100)
    sandbox.refuses = ScriptError("The script says: {what}", what="no")
    _wish(town, 30)
    await town.steerer.tick()
    [command] = town.own.commands(asset=LAMP)
    assert (command.state, command.note) == (State.FAILED, "The script says: no")
    assert town.link.published == []


async def test_an_order_waits_while_no_script_can_run_and_others_go(town: Town, sandbox: FakeSandbox) -> None:
    await _reported(town, sandbox, 100)
    await town.hear("up", up(time=town.stamp()))
    _wish(town, 30)
    sandbox.down = True
    await town.steerer.tick()
    assert [payload for _, payload in town.link.published if X1 in payload.decode()] == []
    assert len(town.link.published) == 1
    assert [command.state for command in town.own.commands(asset=LAMP)] == [State.PLANNED]
    sandbox.down = False
    await town.steerer.tick()
    assert len(town.link.published) == 2


async def test_a_script_that_breaks_its_limits_when_told_is_switched_off_too(town: Town, sandbox: FakeSandbox) -> None:
    strict = Reader(town.store, Scripts(breaches=1), sandbox=sandbox)  # type: ignore[arg-type]
    await _reported(town, sandbox, 100)
    sandbox.refuses = BREACH
    _wish(town, 30)
    town.steerer._speaker._reader = strict
    await town.steerer.tick()
    assert town.own.script(MODEL).off
    assert alarms(town) == [("X-1", AlarmKind.SCRIPT_OFF)]


@pytest.mark.parametrize("change", [{"off": "broken"}, {"source": ""}, {"mapping": LeafMapping(rules=MAPPING.rules)}])
async def test_a_lamp_that_nothing_speaks_to_is_told_nothing(town: Town, sandbox: FakeSandbox, change: dict[str, Any]) -> None:
    await _reported(town, sandbox, 100)
    town.own.put_script(replace(SCRIPT, **change))
    _wish(town, 30)
    await town.steerer.tick()
    assert list(town.own.commands(asset=LAMP)) == []


async def test_a_silent_device_with_a_script_raises_the_alarm(town: Town, sandbox: FakeSandbox) -> None:
    await _reported(town, sandbox, 100)
    looking = inspector(town)
    for _ in range(30):  # of a longer pause it would be asked who has not listened
        await looking.step()
        town.clock.advance(600)
    assert (LAMP, AlarmKind.DEVICE_SILENT) in [(alarm.asset, alarm.kind) for alarm in town.own.alarms()]
