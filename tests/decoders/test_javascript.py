"""What scripts may be, and what becomes of each value."""

from datetime import UTC, datetime

import pytest

from city.errors import ScriptError
from decoders.codec import Frame
from decoders.javascript import Decoded, Program, Sandbox, Uplinked

AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as made:
        yield made


def uplink(data=b"\x01\x02", port=7, **variables):
    return Uplinked(Frame(port, data), AT, variables)


def said(sandbox, body, data=b"\x01\x02", **more):
    """What a script says whose decodeUplink has this body."""
    (answer,) = sandbox.decode_uplinks(Program("function decodeUplink(input) {\n" + body + "\n}"), [uplink(data)], **more)
    if isinstance(answer, ScriptError):
        raise answer
    return answer


def test_decode_uplink_gets_what_the_network_servers_give(sandbox):
    script = Program("""function decodeUplink(input) { return {data: {
        bytes: input.bytes, list: Array.isArray(input.bytes), port: input.fPort, at: input.recvTime.toISOString(),
        date: input.recvTime instanceof Date, key: input.variables.key}, warnings: ["low"]} }""")
    assert sandbox.decode_uplinks(script, [uplink(key="k")]) == [Decoded(
        {"bytes": [1, 2], "list": True, "port": 7, "at": "2026-03-01T12:30:00.000Z", "date": True, "key": "k"}, ("low",))]


def test_top_level_state_is_new_for_every_call(sandbox):
    script = Program("var n = 0; function decodeUplink(i) {"
                     "m = typeof m === 'undefined' ? 1 : m + 1; return {data: {n: ++n, m: m}} }")
    assert sandbox.decode_uplinks(script, [uplink()] * 4) == [Decoded({"n": 1, "m": 1})] * 4


@pytest.mark.parametrize("head", ["Array.prototype.foo = function () { return 7 };",
                                  "'use strict'; Array.prototype['foo'] = function () { return 7 };",
                                  "Object.assign(Array.prototype, {foo() { return 7 }});"])
def test_polyfills_work_and_stay_in_their_call(sandbox, head):
    script = Program(head + "function decodeUplink(i) { const was = [].bar; Object.assign(Array.prototype, {bar: 1});"
                            "return {data: {n: [].foo(), was: was === undefined}} }")
    assert sandbox.decode_uplinks(script, [uplink()] * 3) == [Decoded({"n": 7, "was": True})] * 3


@pytest.mark.parametrize("source", ["function Decode(fPort, bytes, variables) { return {n: bytes[0], p: fPort, v: variables.a} }",
                                    "function Decoder(bytes, port) { return {n: bytes[0], p: port, v: 'b'} }",
                                    "module.exports = {decodeUplink: (i) => ({data: {n: i.bytes[0], p: i.fPort, v: 'b'}})}"])
def test_older_entry_points_are_found(sandbox, source):
    assert sandbox.decode_uplinks(Program(source), [uplink(a="b")]) == [Decoded({"n": 1, "p": 7, "v": "b"})]


def test_a_failure_says_its_line_and_words(sandbox):
    (answer,) = sandbox.decode_uplinks(Program("\n\nfunction decodeUplink(i) {\n  return i.nothing.at;\n}"), [uplink()])
    assert str(answer) == "The script failed in line 4: TypeError: cannot read property 'at' of undefined"


def test_encode_downlink_makes_a_frame(sandbox):
    script = Program("function encodeDownlink(i) { return {bytes: [i.data.level, 255], fPort: 9} }")
    assert sandbox.encode_downlink(script, {"level": 50}) == Frame(9, b"\x32\xff")


def test_check_names_the_entry_points(sandbox):
    script = Program("function encodeDownlink(){}\nconst decodeUplink = () => 1;")
    assert sandbox.check(script) == ("decodeUplink", "encodeDownlink")
