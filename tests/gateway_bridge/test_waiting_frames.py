"""Frames for which a town's script has no time, or no process: kept, read later, in order, and nobody else is held up.

Time is the stand-in sandbox's own: a frame takes as long as the test says.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from city.errors import ScriptError, StoreDown
from city.groups import Target
from city.ids import AssetId, OverrideId, TenantId
from city.imports import COLUMNS, parse
from city.quantities import LAMP_LEVEL
from city.readings import Entry, Quality
from city.settings import Bridge, Scripts
from city.store.ports import Facts
from decoders.codec import Frame
from decoders.javascript import Decoded, Program, Uplinked
from gateway_bridge.letters import _list as show_letters
from gateway_bridge.link import Message
from gateway_bridge.listen import Listener, parse_all
from gateway_bridge.mend import Mender
from gateway_bridge.reading import Reader
from gateway_bridge.steer import Steerer
from tests.gateway_bridge.samples import encode, topic, up
from tests.gateway_bridge.test_reading import (
    BREACH,
    CSV,
    LAMP,
    MODEL,
    SCRIPT,
    X1,
    X2,
    FakeSandbox,
    alarms,
    entries,
    frame,
    hear,
    reasons,
)
from tests.gateway_bridge.town import NOW, Instead, Town, small_town

OTHER_TOWN = TenantId("anderstadt")
OTHER = "70b3d57ed0000888"


class SlowSandbox(FakeSandbox):
    """Takes `takes_s` for each frame of a town in `slow`, by its own clock."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.takes_s = 0.0
        self.slow: set[str] = {"musterstadt"}

    def time(self) -> float:
        return self.seconds

    def decode_uplinks(self, program: Program, uplinks: Sequence[Uplinked], *,
                       normalize: bool = False) -> list[Decoded | ScriptError]:
        self.seconds += self.takes_s * len(uplinks) if program.owner in self.slow else 0.0001
        return super().decode_uplinks(program, uplinks, normalize=normalize)

    def encode_downlink(self, program: Program, data: Mapping[str, Any], *, variables: Mapping[str, str] = {}) -> Frame:
        self.seconds += self.takes_s
        return super().encode_downlink(program, data, variables=variables)


@pytest.fixture
def sandbox() -> SlowSandbox:
    return SlowSandbox()


@pytest.fixture
def town(tmp_path: Path, sandbox: SlowSandbox) -> Iterator[Town]:
    """The small town with two lamps of a model that it has a script for; its scripts have half a second of a batch."""
    with small_town(tmp_path, sandbox=sandbox) as made:  # type: ignore[arg-type]
        rows, problems = parse((",".join(COLUMNS) + "\n" + CSV).encode(), {MODEL, "acme/bare"})
        assert not problems
        made.own.import_rows(rows)
        made.own.put_script(SCRIPT)
        made.reader = Reader(made.store, Scripts(budget_ms=500), made.metrics, sandbox, timer=sandbox.time)  # type: ignore[arg-type]
        made.listener = listener(made, made.reader)
        yield made


def listener(town: Town, reader: Reader, log: object = None) -> Listener:
    return Listener(town.link, town.store, log or town.log, town.clock, Bridge(linger_ms=0), town.metrics,  # type: ignore[arg-type]
                    turn=town.turn, reader=reader)


def mender(town: Town) -> Mender:
    return Mender(town.store, town.log, town.clock, town.turn, town.reader)


def read_in_order(sandbox: SlowSandbox) -> list[bytes]:
    return [one.frame.data for one in sandbox.asked]


def neighbour(town: Town) -> None:
    """Another town with a script for a model of the same name."""
    town.store.put_tenant(replace(town.own.tenant, id=OTHER_TOWN))
    own = town.store.tenant(OTHER_TOWN)
    own.put_script(replace(SCRIPT, tenant=OTHER_TOWN))
    rows, _ = parse((",".join(COLUMNS) + f"\nO-1,lamp,,48.7,13.8,nord,,{OTHER},{MODEL},40,,\n").encode(), {MODEL})
    own.import_rows(rows)


async def test_a_slow_script_has_its_time_of_a_batch_and_the_others_are_read(town: Town, sandbox: SlowSandbox) -> None:
    neighbour(town)
    sandbox.takes_s = 0.09
    for n in range(40):
        town.link.deliver(topic("up", X1), frame(n, data=bytes([n])))
    town.link.deliver(topic("up", OTHER), frame(50, eui=OTHER, data=b"o"))
    town.link.deliver(topic("up"), encode(up()))
    assert await town.listener.step() == 42
    assert len(town.link.acknowledged) == 42
    assert sandbox.seconds < 0.75  # half a second, and the part that was begun in it
    read = len(town.history(LAMP_LEVEL, LAMP))
    assert 5 <= read < 10
    assert reasons(town) == {"ScriptWaits": 40 - read}
    assert len(town.log.history(OTHER_TOWN, AssetId("O-1"), LAMP_LEVEL, NOW.replace(hour=0), NOW.replace(hour=23))) == 1
    assert len(town.history(LAMP_LEVEL)) == 1
    assert town.metrics.balance() == {"received": 42, "stored": 2 + read, "duplicates": 0, "dead_letters": 40 - read,
                                      "queued": 0}


async def test_what_waits_is_read_in_order_and_what_comes_meanwhile_waits_behind_it(
        town: Town, sandbox: SlowSandbox) -> None:
    sandbox.takes_s = 0.09
    sandbox.says = lambda frame: {"dim": frame.data[0]}
    await hear(town, *(frame(n, data=bytes([n])) for n in range(20)))
    await hear(town, frame(30, data=b"\x1e"))  # nothing else in its batch: there would be time for it
    assert town.known(X1).state.f_cnt == 30  # the device is heard all the same
    healing, looks = mender(town), 0
    while await healing.step():
        looks += 1
    assert looks > 2
    assert reasons(town) == {}
    assert read_in_order(sandbox) == [bytes([n]) for n in (*range(20), 30)]
    assert [point.value for point in town.history(LAMP_LEVEL, LAMP)] == [*map(float, range(20)), 30.0]
    assert town.known(X1).state.value(LAMP_LEVEL) == 30.0
    assert {reading.quality for entry in entries(town) for reading in entry.readings if reading.quantity is LAMP_LEVEL} == {
        Quality.GOOD}
    await hear(town, frame(31, data=b"\x1f"))
    assert reasons(town) == {}
    assert read_in_order(sandbox)[-1] == b"\x1f"


async def test_where_no_process_can_be_started_frames_wait_and_others_are_read(town: Town, sandbox: SlowSandbox) -> None:
    sandbox.down = True
    town.link.deliver(topic("up", X1), frame(1, data=b"\x01"))
    town.link.deliver(topic("up"), encode(up()))
    assert await town.listener.step() == 2
    assert len(town.link.acknowledged) == 2
    assert reasons(town) == {"ScriptWaits": 1}
    assert len(town.history(LAMP_LEVEL)) == 1
    healing = mender(town)
    assert await healing.step() == 0
    assert "No process can be started" in town.store.all_letters()[0].detail
    sandbox.down = False
    await hear(town, frame(2, data=b"\x02"))
    assert reasons(town) == {"ScriptWaits": 2}
    assert await healing.step() == 2
    assert (reasons(town), read_in_order(sandbox)) == ({}, [b"\x01", b"\x02"])


async def test_a_bridge_that_starts_knows_who_waits(town: Town, sandbox: SlowSandbox) -> None:
    sandbox.down = True
    await hear(town, frame(1, data=b"\x01"))
    sandbox.down = False
    town.reader = Reader(town.store, Scripts(), sandbox=sandbox)  # type: ignore[arg-type]
    town.listener = listener(town, town.reader)
    await hear(town, frame(2, data=b"\x02"))
    assert reasons(town) == {"ScriptWaits": 2}
    assert await mender(town).step() == 2
    assert read_in_order(sandbox) == [b"\x01", b"\x02"]


async def test_frames_that_could_not_be_stored_do_not_wait_for_themselves(town: Town, sandbox: SlowSandbox) -> None:
    class Full(Instead):
        """A log that cannot be written."""

        @staticmethod
        def append(entries: Sequence[Entry]) -> int:
            raise StoreDown("The disk is full, {count} entries wait.", count=len(entries))

    sandbox.takes_s = 0.09
    full = listener(town, town.reader, Full(town.log))
    for n in range(20):
        town.link.deliver(topic("up", X1), frame(n, data=bytes([n])))
    with pytest.raises(StoreDown):
        await full.step()
    assert (reasons(town), town.link.acknowledged) == ({}, [])
    full._readings = town.log
    assert await full.step() == 20
    assert 0 < reasons(town)["ScriptWaits"] < 20


async def test_a_restart_between_storing_and_forgetting_a_letter_changes_nothing(town: Town, sandbox: SlowSandbox) -> None:
    sandbox.down = True
    await hear(town, frame(1))
    (letter,) = town.store.all_letters()
    sandbox.down = False
    assert await mender(town).step() == 1
    town.store.commit(Facts(letters=(letter,)))
    assert await mender(town).step() == 1
    assert reasons(town) == {}
    assert len(entries(town)) == 1


async def test_waiting_frames_that_break_limits_switch_the_script_off(town: Town, sandbox: SlowSandbox) -> None:
    sandbox.down = True
    await hear(town, *(frame(n) for n in range(10)))
    sandbox.down, sandbox.says = False, lambda _: BREACH
    assert await mender(town).step() == 10
    assert town.own.script(MODEL).off
    assert reasons(town) == {"ScriptBreach": 3, "ScriptOff": 7}


async def test_a_slow_encoder_has_its_time_of_a_look_and_other_lamps_are_told(town: Town, sandbox: SlowSandbox) -> None:
    await hear(town, frame(1))
    await hear(town, frame(2, eui=X2), eui=X2)
    await town.hear("up", up(time=town.stamp()))
    sandbox.takes_s = 0.6
    now = town.clock.now()
    for number, asset in enumerate((LAMP, AssetId("X-2"), AssetId("N-0042"))):
        town.own.add_override(replace(town.wish(30, id=f"old-{number}"), id=OverrideId(f"w{number}"),
                                      targets=(Target("lamp", asset),), start=now))
    steering = Steerer(town.link, town.store, town.clock, Bridge(), town.metrics, turn=town.turn, reader=town.reader)
    await steering.tick()
    assert len(sandbox.encoded) == 1
    assert len(town.link.published) == 2
    await steering.tick()
    assert len(sandbox.encoded) == 2
    assert len(town.link.published) == 3


# letters of a former version

async def _new_version(town: Town, sandbox: SlowSandbox) -> None:
    """Ten letters that the former version broke its limits with, or that came when it was off; then a new version."""
    sandbox.says = lambda _: BREACH
    await hear(town, *(frame(n, data=b"old") for n in range(10)))
    assert reasons(town) == {"ScriptBreach": 3, "ScriptOff": 7}
    town.clock.advance(60)
    sandbox.says = lambda frame: BREACH if frame.data == b"old" else {"dim": 7}
    sandbox.asked.clear()
    town.own.put_script(replace(SCRIPT, changed_at=town.clock.now()))


async def test_old_letters_do_not_switch_a_new_version_off(town: Town, sandbox: SlowSandbox) -> None:
    await _new_version(town, sandbox)
    assert await mender(town).step() == 10
    assert town.own.script(MODEL).off == ""
    assert alarms(town) == []
    assert len(sandbox.asked) == 3  # and the others are not tried on and on
    assert reasons(town) == {"ScriptError": 10}
    await hear(town, frame(20))
    assert [point.value for point in town.history(LAMP_LEVEL, LAMP)] == [7.0]


async def test_nor_do_they_after_a_restart(town: Town, sandbox: SlowSandbox) -> None:
    await _new_version(town, sandbox)
    await mender(town).step()
    sandbox.says = lambda _: BREACH
    fresh = Reader(town.store, Scripts(), sandbox=sandbox)  # type: ignore[arg-type]
    for n in (21, 22):
        fresh.read(parse_all([Message(topic("up", X2), frame(n, eui=X2))]), town.clock.now())
    assert town.own.script(MODEL).off == ""
    fresh.read(parse_all([Message(topic("up", X2), frame(23, eui=X2))]), town.clock.now())
    assert town.own.script(MODEL).off


async def test_letters_say_what_is_wrong_with_scripts(
        town: Town, sandbox: SlowSandbox, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.down = True
    await hear(town, frame(1))
    town.own.switch_script(MODEL, "It was wrong.", "ada", NOW)
    show_letters(town.store, 10, None)
    said = capsys.readouterr().out
    assert f"The script of {MODEL} in musterstadt is switched off since 2026-07-18 09:35Z by ada: It was wrong." in said
    waits = "Frames of musterstadt have waited for its scripts since 2026-07-18 09:35:00Z; the bridge reads them by itself"
    assert f"{waits}: No process can be started." in said
