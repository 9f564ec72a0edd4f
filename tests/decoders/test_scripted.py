"""A town's script as a codec."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from city.errors import DecodeError, ScriptError, ScriptOff, Unsupported
from city.ids import TenantId
from city.orders import Reboot, SetLevel
from city.quantities import Measurement
from city.scripts import LeafMapping, Rule, Script
from decoders import scripted
from decoders.codec import Frame
from decoders.javascript import Sandbox

SOURCE = """
function decodeUplink(input) {
  return { data: { p: input.bytes[0], s: { on: input.bytes[1] === 1 }, site: input.variables.site, tag_id: 'x' } };
}
function normalizeUplink(input) { return { data: { p: input.data.p * 2 } }; }
function encodeDownlink(input) { return { fPort: 7, bytes: [input.data.cmd, input.data.dim] }; }
"""
MAPPING = LeafMapping(rules=(Rule(leaf="p", quantity="lamp.power", scale=0.5),), dropped=("tag_id",),
                      orders={"SetLevel": {"cmd": 1, "dim": "$level"}})
SCRIPT = Script(TenantId("arnsberg"), "acme/x1", "X1", "lamp", SOURCE, MAPPING, variables={"site": "north"},
                heartbeat=timedelta(hours=2), max_minutes=None)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


def values(said: list[Measurement]) -> dict[str, object]:
    return {one.quantity.name: one.value for one in said}


def test_an_uplink_is_decoded_and_mapped(sandbox):
    said = scripted.codec(SCRIPT, sandbox).decode_uplink(Frame(1, b"\x3f\x01"))
    assert values(said) == {"lamp.power": 31.5, "raw/acme/x1.s.on:flag": True, "raw/acme/x1.site:text": "north"}


def test_a_normalized_output_is_mapped_instead(sandbox):
    said = scripted.codec(replace(SCRIPT, normalized=True), sandbox).decode_uplink(Frame(1, b"\x3f\x01"))
    assert values(said) == {"lamp.power": 63.0}


def test_an_order_is_encoded(sandbox):
    codec = scripted.codec(SCRIPT, sandbox)
    assert codec.encode_downlink(SetLevel(40)) == Frame(7, bytes([1, 40]))
    with pytest.raises(Unsupported):
        codec.encode_downlink(Reboot())


def test_a_script_that_throws_is_a_decode_error(sandbox):
    broken = replace(SCRIPT, source="function decodeUplink(input) { throw new Error('short'); }")
    with pytest.raises(ScriptError, match="short"):
        scripted.codec(broken, sandbox).decode_uplink(Frame(1, b""))


def test_a_script_that_is_off_does_not_run(sandbox):
    codec = scripted.codec(replace(SCRIPT, off="three breaches"), sandbox)
    with pytest.raises(ScriptOff, match="three breaches"):
        codec.decode_uplink(Frame(1, b"\x01\x01"))
    with pytest.raises(ScriptOff):
        codec.encode_downlink(SetLevel(40))


def test_a_model_without_a_script_reads_only_objects(sandbox):
    bare = replace(SCRIPT, source="")
    with pytest.raises(ScriptError):
        scripted.codec(bare, sandbox).decode_uplink(Frame(1, b"\x01"))
    assert values(scripted.read(bare, {"p": 10})) == {"lamp.power": 5.0}


def test_an_object_of_a_model_that_nobody_described_is_all_raw():
    said = scripted.read_object("acme/new", {"p": 10, "who": {"user_id": 4}, "ok": True, "t": "x"})
    assert values(said) == {"raw/acme/new.p": 10.0, "raw/acme/new.ok:flag": True, "raw/acme/new.t:text": "x"}


def test_the_planner_knows_what_it_can_without_a_sandbox():
    quiet = scripted.quiet(SCRIPT)
    assert (quiet.abilities.dims, quiet.abilities.max_minutes, quiet.heartbeat) == (True, None, timedelta(hours=2))
    assert not scripted.quiet(replace(SCRIPT, mapping=LeafMapping())).abilities.dims
    assert (quiet.abilities.resumes, quiet.abilities.reports_level) == (False, False)
    more = LeafMapping(rules=(Rule(leaf="l", quantity="lamp.level"),), orders={"Resume": {"cmd": 2}})
    assert scripted.quiet(replace(SCRIPT, mapping=more)).abilities.reports_level
    assert scripted.quiet(replace(SCRIPT, mapping=more)).abilities.resumes
    with pytest.raises(Unsupported):
        quiet.encode_downlink(SetLevel(40))
    with pytest.raises(Unsupported):
        quiet.encode_uplink(1, [])
    for read in (quiet.decode_uplink, quiet.decode_downlink):
        with pytest.raises(DecodeError):
            read(Frame(1, b"\x01"))


def test_bytes_are_not_kept_where_something_of_them_is_dropped():
    frame = Frame(1, b"\x04\xa1")
    assert scripted.quiet(SCRIPT).keepable(frame) == b"\0\0"
    assert scripted.quiet(replace(SCRIPT, mapping=LeafMapping())).keepable(frame) == frame.data


def test_what_is_not_mapped_is_named():
    assert "Not mapped: s.on, site." in scripted.leaves_open(SCRIPT, ["p", "site", "s.on", "tag_id"])
    assert any("told nothing" in text for text in scripted.leaves_open(replace(SCRIPT, mapping=LeafMapping())))


def test_the_time_of_reception_is_the_clocks(sandbox):
    class Fixed:
        def now(self) -> datetime:
            return datetime(2026, 5, 1, 12, tzinfo=UTC)

        async def sleep(self, seconds: float) -> None: ...

    dated = replace(SCRIPT, source="function decodeUplink(input) { return { data: { at: input.recvTime.toISOString() } }; }")
    said = scripted.codec(dated, sandbox, Fixed()).decode_uplink(Frame(1, b""))
    assert values(said) == {"raw/acme/x1.at:text": "2026-05-01T12:00:00.000Z"}
