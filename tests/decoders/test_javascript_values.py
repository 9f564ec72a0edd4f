"""What becomes of each value that a script returns: the table of docs/reference/scripts.md, row by row."""

import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest

from city.errors import ScriptBreach, ScriptError
from decoders.codec import Frame
from decoders.javascript import Decoded, Program, Sandbox, Uplinked

AT = datetime(2026, 3, 1, tzinfo=UTC)
LEFT_OUT = object()


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as made:
        yield made


def call(sandbox, body, **more):
    (answer,) = sandbox.decode_uplinks(Program("function decodeUplink(input) {\n" + body + "\n}"),
                                       [Uplinked(Frame(3, b"\x01\x02"), AT)], **more)
    return answer


VALUES = [
    ("1", 1), ("1.5", 1.5), ("-0", 0), ("2 ** 53", 2 ** 53), ("9007199254740993", 2 ** 53), ("1e21", 1e21), ("5e-324", 5e-324),
    ("NaN", None), ("Infinity", None), ("-Infinity", None), ("null", None), ("undefined", LEFT_OUT),
    ("[undefined, 1]", [None, 1]), ("true", True), ("'ä'", "ä"), ("'a\\ud800b'", "a\ufffdb"), ("'\\ud83d\\ude00'", "😀"),
    ("'a\\u0000b'", "a\ufffdb"), ("'\\\\ud800'", "\\ud800"), ("new Date(0)", "1970-01-01T00:00:00.000Z"), ("new Date(NaN)", None),
    ("12n", 12), ("2n ** 60n", "1152921504606846976"), ("new Uint8Array([1, 2])", [1, 2]),
    ("new Float32Array([0.5, NaN])", [0.5, None]),
    ("new Uint8Array([1, 2]).buffer", [1, 2]), ("Buffer.from('hi')", [104, 105]), ("() => 1", LEFT_OUT),
    ("Symbol('x')", LEFT_OUT),
    ("[() => 1, Symbol('x')]", [None, None]), ("new Map([['a', 1]])", {"a": 1}), ("new Set([1, 2])", [1, 2]),
    ("[1, , 3]", [1, None, 3]),
    ("/x/", {}), ("new String('x')", "x"), ("new Error('x')", {}), ("{['__proto__']: 1}", {"__proto__": 1}), ("{'': 1}", {"": 1}),
    ("{constructor: 1, toString: 2}", {"constructor": 1, "toString": 2}), ("{toJSON() { return 5 }}", 5),
    ("{'a\\ud800': 1}", {"a\ufffd": 1}), ("'x'.repeat(1000)", "x" * 1000), ("input.bytes", [1, 2]),
]


@pytest.mark.parametrize(("value", "becomes"), VALUES, ids=[value for value, _ in VALUES])
def test_what_becomes_of_each_value(sandbox, value, becomes):
    assert call(sandbox, f"return {{data: {{x: {value}}}}}") == Decoded({} if becomes is LEFT_OUT else {"x": becomes})


REFUSED = [
    ("const d = {}; d.d = d; return {data: d}", "circular"),
    ("return undefined", "decodeUplink returned undefined, not an object"),
    ("return 5", "decodeUplink returned number, not an object"), ("return [1]", "decodeUplink returned a list, not an object"),
    ("return null", "decodeUplink returned null, not an object"), ("return {}", "decodeUplink returned no data"),
    ("return {data: null}", "data that is null, not an object"), ("return {data: [1]}", "data that is a list, not an object"),
    ("return {data: 'x'}", "data that is string, not an object"), ("return {data: () => 1}", "data that is function"),
    ("return Promise.resolve({data: {}})", "decodeUplink returned a promise, not an object"),
    ("return {errors: ['one', 'two']}", "The script says: one, two"), ("return {errors: 'one'}", "The script says: one"),
    ("return {data: {a: 1}, errors: ['one']}", "The script says: one"), ("return {errors: [new Error('one')]}", "Error: one"),
    ("throw new Error('broken')", "The script failed in line 2: Error: broken"), ("throw 'text'", "The script failed: text"),
    ("throw null", "The script failed: null"), ("throw undefined", "The script failed: undefined"),
    ("throw 5", "The script failed: 5"),
    ("throw {code: 7}", 'The script failed: {"code":7}'), ("throw {message: 'm', name: 'N'}", "The script failed: N: m"),
    ("throw {toString() { throw 1 }}", "something that cannot be put into words"), ("throw Symbol('s')", "Symbol(s)"),
    ("throw new Proxy({}, {get() { throw 1 }})", "something that cannot be put into words"),
    ("throw new Error('a\\nb\\u001b[31m\\ud800')", "Error: a b [31m"),
    ("return missing", "ReferenceError: missing is not defined"),
    ("return {get data() { throw new Error('got') }}", "Error: got"),
    ("return {data: {get x() { throw new Error('got') }}}", "Error: got"),
]


@pytest.mark.parametrize(("body", "words"), REFUSED, ids=[body for body, _ in REFUSED])
def test_what_is_no_answer(sandbox, body, words):
    answer = call(sandbox, body)
    assert type(answer) is ScriptError
    assert words in str(answer)


def test_words_are_clipped_to_one_line(sandbox):
    answer = call(sandbox, "throw new Error('y'.repeat(5000))")
    assert len(answer.facts["words"]) == 300
    assert "\n" not in str(answer)


@pytest.mark.parametrize(("warnings", "become"), [
    ("['a', 5]", ("a", "5")), ("'a'", ("a",)), ("[]", ()), ("null", ()), ("{}", ())])
def test_warnings_go_along(sandbox, warnings, become):
    assert call(sandbox, f"return {{data: {{}}, warnings: {warnings}}}") == Decoded({}, become)


def test_an_async_decoder_answers_too_late(sandbox):
    script = Program("async function decodeUplink() { return {data: {}} }")
    (answer,) = sandbox.decode_uplinks(script, [Uplinked(Frame(1, b"a"), AT)])
    assert "returned a promise" in str(answer)


def test_normalize(sandbox):
    decode = "function decodeUplink(i) { return {data: {t: i.bytes[0]}, warnings: ['a']} }\nfunction normalizeUplink(i) "
    uplinks = [Uplinked(Frame(1, b"\x07"), AT)]

    def normalized(body):
        return sandbox.decode_uplinks(Program(decode + body), uplinks, normalize=True)[0]

    assert normalized("{ return {data: {air: {t: i.data.t}}, warnings: ['b']} }") == Decoded({"air": {"t": 7}}, ("a", "b"))
    assert normalized("{ return {data: [{air: 1}]} }") == Decoded({"air": 1}, ("a",))
    assert normalized("{ return {data: [{air: 1}, {air: 2}]} }") == Decoded({"0": {"air": 1}, "1": {"air": 2}}, ("a",))
    assert "says: no" in str(normalized("{ return {errors: ['no']} }"))
    (answer,) = sandbox.decode_uplinks(Program("function decodeUplink() { return {data: {}} }"), uplinks, normalize=True)
    assert "defines no function normalizeUplink" in str(answer)


FRAMES = [
    ("{bytes: [1, 2], fPort: 5}", Frame(5, b"\x01\x02")), ("{bytes: [1]}", Frame(1, b"\x01")),
    ("{bytes: [1], fPort: null}", Frame(1, b"\x01")),
    ("{bytes: new Uint8Array([1, 2]), fPort: 5}", Frame(5, b"\x01\x02")),
    ("{bytes: Buffer.from('0aff', 'hex')}", Frame(1, b"\x0a\xff")),
    ("{bytes: [1.9, 255.5]}", Frame(1, b"\x01\xff")), ("{bytes: [1], errors: []}", Frame(1, b"\x01")),
]
NO_FRAMES = [
    ("{bytes: [256]}", "256 as byte 0, not 0-255"), ("{bytes: [0, -1]}", "-1 as byte 1"), ("{bytes: [NaN]}", "NaN as byte 0"),
    ("{bytes: ['1']}", "string as byte 0"), ("{bytes: []}", "0 bytes"), ("{bytes: new Array(243).fill(0)}", "243 bytes"),
    ("{bytes: '0102'}", "bytes that are string"), ("{}", "no bytes"), ("{bytes: [1], fPort: 0}", "fPort 0, not 1-223"),
    ("{bytes: [1], fPort: 224}", "fPort 224"), ("{bytes: [1], fPort: '5'}", "fPort 5"),
    ("{errors: ['no']}", "The script says: no"),
    ("null", "returned null"), ("{bytes: [, 1]}", "undefined as byte 0"),
]


@pytest.mark.parametrize(("value", "frame"), FRAMES, ids=[value for value, _ in FRAMES])
def test_what_is_a_downlink(sandbox, value, frame):
    assert sandbox.encode_downlink(Program(f"function encodeDownlink(input) {{ return {value} }}"), {}) == frame


@pytest.mark.parametrize(("value", "words"), NO_FRAMES, ids=[value for value, _ in NO_FRAMES])
def test_what_is_no_downlink(sandbox, value, words):
    with pytest.raises(ScriptError) as caught:
        sandbox.encode_downlink(Program(f"function encodeDownlink(input) {{ return {value} }}"), {})
    assert words in str(caught.value)


def test_older_encoders_and_the_downlink_decoder(sandbox):
    data = {"level": 3, "text": "ä\ud800"}
    assert sandbox.encode_downlink(Program("function Encode(p, obj, v) { return [p, obj.level, v.a.length] }"), data,
                                   variables={"a": "xy"}) == Frame(1, b"\x01\x03\x02")
    second = Program("function Encoder(obj, port) { return [obj.level, port] }")
    assert sandbox.encode_downlink(second, data) == Frame(1, b"\x03\x01")
    decode = Program("function decodeDownlink(i) { return {data: {p: i.fPort, n: i.bytes.length}} }")
    assert sandbox.decode_downlink(decode, Frame(9, b"abc")) == Decoded({"p": 9, "n": 3})
    with pytest.raises(ScriptError, match="defines no function decodeDownlink"):
        sandbox.decode_downlink(Program("function decodeUplink() {}"), Frame(9, b"abc"))


def test_check_says_what_is_wrong(sandbox):
    with pytest.raises(ScriptError, match="line 3: SyntaxError"):
        sandbox.check(Program("\nfunction decodeUplink() {\n  let = ;\n}"))
    with pytest.raises(ScriptError, match="none of the functions"):
        sandbox.check(Program("var x = 1"))
    with pytest.raises(ScriptError, match="not UTF-8"):
        sandbox.check(Program("\ud800"))
    with pytest.raises(ScriptBreach):
        sandbox.check(Program("for (;;) {}"))
    assert sandbox.check(Program("\ufeffconst decodeUplink = (i) => 1; // the end")) == ("decodeUplink",)


@pytest.mark.parametrize("source", [
    "for (i = 0; i < 3; i++) total = i; function decodeUplink(x) { for (k = 0; k < 2; k++) {} return {data: {n: total + k}} }",
    "'use strict'; const total = 2; let k = 2; function decodeUplink() { return {data: {n: total + k}} }",
    "const Buffer = 1, module = 2, exports = 1; function decodeUplink() { return {data: {n: Buffer + module + exports}} }",
    "if (typeof module !== 'undefined') { module.exports = {decodeUplink} } function decodeUplink() { return {data: {n: 4}} }",
    "exports.decodeUplink = function () { return {data: {n: 4}} }",
    "class Reader { constructor() { this.n = 4 } } var decodeUplink = () => ({data: new Reader()})",
    """function Reader() {} Reader.prototype.constructor = Reader; Reader.prototype.toString = () => '4';
    function decodeUplink() { return {data: {n: Number(String(new Reader()))}} }""",
    """function Own(m) { this.message = m; this.name = 'Own' } Own.prototype = Object.create(Error.prototype);
    Own.prototype.constructor = Own;
    function decodeUplink() { try { throw new Own('4') } catch (e) { return {data: {n: +e.message}} } }""",
    "function decodeUplink() { const a = []; a.filter = 4; a.values = 3; return {data: {n: a.filter}} }",
    "function decodeUplink() { return {data: {n: eval('2 + 2')}} }",
    "function decodeUplink() { return {data: {n: new Function('return 4')()}} }",
    """if (!String.prototype.four) { String.prototype.four = function () { return 4 } }
    function decodeUplink() { return {data: {n: ''.four()}} }""",
    "function decodeUplink() { Number['pro' + 'totype'].four = () => 4; return {data: {n: (1).four()}} }",
    "this.four = 4; function decodeUplink() { return {data: {n: four}} }",
    "function decodeUplink() { console.log('heard by nobody'); return {data: {n: 4}} }",
    "function decodeUplink(i) { performance = 4; return {data: {n: performance}} }",
    "// a comment\nfunction decodeUplink() { return {data: {n: 4}} } // the end",
])
def test_scripts_of_every_style_run_and_run_again(sandbox, source):
    assert sandbox.decode_uplinks(Program(source), [Uplinked(Frame(1, b"a"), AT)] * 3) == [Decoded({"n": 4})] * 3


BUFFER = """function decodeUplink(i) { const b = Buffer.from(i.bytes); return {data: {
  le: b.readUInt16LE(1), be: b.readInt16BE(0), i32: b.readInt32BE(2), f: b.readFloatLE(4), d: b.readDoubleBE(0),
  u24: b.readUIntBE(1, 3),
  i24: b.readIntLE(5, 3), big: b.readBigInt64LE(0).toString(), hex: b.toString('hex'), b64: b.toString('base64'),
  cut: b.slice(2, 4).toString('hex'),
  utf: Buffer.from('aä€😀').toString(), len: Buffer.byteLength('aä€😀'), latin: b.toString('latin1', 0, 1),
  list: [...b.subarray(-2)],
  wrote: (() => { const w = Buffer.alloc(8); w.writeInt16BE(-2, 0); w.writeUInt32LE(0xdeadbeef, 2);
    w.writeUIntBE(0x12, 6, 2); return w.toString('hex') })(),
  cat: Buffer.concat([b.slice(0, 1), Buffer.from('ff', 'hex')]).toString('hex'),
  is: Buffer.isBuffer(b) && b instanceof Uint8Array,
  at: b.indexOf(0x80), same: b.equals(new Buffer(i.bytes)), back: Buffer.from(b.toString('base64'), 'base64').equals(b)}} }"""


def test_buffer_reads_and_writes_as_nodes_does(sandbox):
    data = bytes.fromhex("0102037f80818283")
    (answer,) = sandbox.decode_uplinks(Program(BUFFER), [Uplinked(Frame(1, data), AT)])
    assert isinstance(answer, Decoded), str(answer)
    assert answer.data == {
        "le": 0x0302, "be": 0x0102, "i32": 0x037f8081, "f": struct.unpack("<f", data[4:])[0],
        "d": struct.unpack(">d", data)[0],
        "u24": 0x02037f, "i24": int.from_bytes(data[5:8], "little", signed=True),
        "big": str(int.from_bytes(data, "little", signed=True)),
        "hex": data.hex(), "b64": "AQIDf4CBgoM=", "cut": "037f", "utf": "aä€😀", "len": 10, "latin": "\x01",
        "list": [0x82, 0x83],
        "wrote": "fffeefbeadde0012", "cat": "01ff", "is": True, "at": 4, "same": True, "back": True}


def test_the_page_states_every_row():
    page = (Path(__file__).resolve().parents[2] / "docs/reference/scripts.md").read_text(encoding="utf-8")
    for word in ("NaN", "-0", "2^53", "BigInt", "Date", "typed array", "undefined", "Symbol", "Map", "Set", "circular",
                 "surrogate",
                 "`__proto__`", "promise", "{errors:", "{warnings:", "fPort", "32 levels", "256", "64 kB", "100 ms", "16 MB"):
        assert word in page, word
