"""Scripts that want to be remembered, or to answer what was not agreed."""

from datetime import UTC, datetime

import pytest

from city.errors import ScriptError
from decoders._sandbox.worker import Engine, Program
from decoders.codec import Frame
from decoders.javascript import Limits, Sandbox, Uplinked
from decoders.javascript import Program as Source

AT = datetime(2026, 3, 1, tzinfo=UTC)
ENGINE = Engine(memory=16 << 20, stack=256 << 10, seconds=5, timers=False)

# All that can be reached from a script without naming it, and of that what can still be written on.
REACHED = r"""
function decodeUplink(input) {
  if (input.fPort === 1) { return {data: {}}; }
  var P = Reflect["get" + "PrototypeOf"], parent = P(globalThis);
  var seen = new Set([globalThis, parent]), waiting = [], open = [];
  function reach(path, one) {
    if ((typeof one !== "object" && typeof one !== "function") || one === null || seen.has(one)) { return; }
    seen.add(one);
    waiting.push([path, one]);
    if (!Object.isFrozen(one)) { open.push(path); }
  }
  Object.getOwnPropertyNames(parent).forEach(function (name) { reach(name, globalThis[name]); });
  [(function* () {})(), (async function* () {})()].forEach(function (one) { reach("generator", P(P(one))); });
  [function* () {}, async function () {}, async function* () {}, [].values(), new Map().keys(), new Set().keys(),
   ""["matchAll"](/a/g), [].values().map(String), Iterator.from({next: function () {}})
  ].forEach(function (one, n) { reach("kind" + n, P(one)); });
  var strict = (function () { "use strict"; return arguments; })();
  reach("thrower", Object.getOwnPropertyDescriptor(strict, "callee").get);
  reach("factory", arguments.callee.caller);
  while (waiting.length) {
    var path = waiting[0][0], one = waiting.shift()[1];
    Reflect.ownKeys(one).forEach(function (key) {
      var property = Object.getOwnPropertyDescriptor(one, key), name = path + "." + String(key);
      reach(name + " get", property.get);
      reach(name + " set", property.set);
      reach(name, property.value);
      if (property.get) { try { reach(name + " got", one[key]); } catch (error) { } }
    });
    reach(path + " below", P(one));
  }
  return {data: {reached: seen.size, open: open}};
}"""

REMEMBERING = {
    "the engine's own settings": "var E = Error, k = 'prepare' + 'StackTrace', was = E[k];"
                                 "E[k] = function () {}; return say(was);",
    "the length of stacks": "var E = Error, was = E.stackTraceLimit;"
                            "E.stackTraceLimit = 7; return say(was === 7 ? was : undefined);",
    "a built-in method": "var f = [].push, was = f.secret; f.secret = 1; return say(was);",
    "a list's own methods": "var e = ['x'], was; e.slice = function () { return {map: function (f) {"
                            "was = f.secret; f.secret = 1; return ['x']; }}; }; return {errors: e, data: {}};",
    "the global object": "var was = globalThis.secret; globalThis.secret = 1; return say(was);",
    "a tag's template": "var t = (function (s) { return s; })`x`, was = t.secret; t.secret = 1; return say(was);",
}
SAY = "function say(was) { return {data: {was: was === undefined ? 'nothing' : 'something'}}; } function decodeUplink(input) {"


def test_nothing_that_outlasts_a_call_can_be_written_on() -> None:
    made = Program(ENGINE, REACHED, lambda: None)
    first = [made.answer("u", "[[1],1,0,{}]") for _ in range(2)]
    assert first == ["D{}"] * 2
    assert made._run is not None
    said = made._run("u", "[[1],2,0,{}]")
    assert '"open":[]' in said
    assert int(said.partition('"reached":')[2].partition(",")[0]) > 700


@pytest.mark.parametrize("how", REMEMBERING)
def test_no_call_remembers_another(how: str) -> None:
    made = Program(ENGINE, SAY + REMEMBERING[how] + "}", lambda: None)
    assert len({made.answer("u", "[[1],1,0,{}]") for _ in range(20)}) == 1


def test_a_call_that_fails_while_it_fails_leaves_nothing() -> None:
    made = Program(ENGINE, "function decodeUplink(input) { var was = globalThis.secret; globalThis.secret = 1; var n = 0;"
                           "if (input.fPort === 2) { return {data: {was: typeof was}}; }"
                           "throw {get message() { return n++ ? {toString() { throw 5; }} : 'a'; }, name: 1}; }", lambda: None)
    for _ in range(12):
        made.answer("u", "[[1],1,0,{}]")
    assert made.answer("u", "[[1],2,0,{}]") == 'D{"was":"undefined"}'


def test_equal_scripts_of_two_towns_do_not_share_a_context() -> None:
    source = "function decodeUplink() { return {data: {}} }"
    assert Source(source, "aalen").key != Source(source, "bonn").key
    assert Source(source, "aalen").key == Source(source, "aalen").key
    assert Source(source, "aalen").digest == Source(source, "bonn").digest


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(limits=Limits(seconds=1)) as sandbox:
        yield sandbox


TWISTED = {
    "warnings": "function decodeUplink() { return {data: {}, warnings: Object.assign(['x'], {slice() { return {map() {"
                "return {length: 1, toJSON() { return 5; }}; }}; }})}; }",
    "warnings of a changed engine": "Array.prototype.toJSON = function () { return 5; };"
                                    "function decodeUplink() { return {data: {}, warnings: ['x']}; }",
    "no warnings": "Array.prototype.toJSON = function () { };"
                   "function decodeUplink() { return {data: {}, warnings: ['x']}; }",
    "a line": "function decodeUplink() { throw {message: 'm', stack: '<input>:' + '9'.repeat(40)}; }",
    "a message": "function decodeUplink() { throw {get message() { return Symbol('x'); }, toString() { throw 1; }}; }",
}


@pytest.mark.parametrize("how", TWISTED)
def test_an_answer_that_was_not_agreed_is_the_scripts_error(sandbox: Sandbox, how: str) -> None:
    source = Source(TWISTED[how])
    answers = sandbox.decode_uplinks(source, [Uplinked(Frame(1, b"\1"), AT)] * 3)
    assert len(answers) == 3
    assert len({str(answer) for answer in answers}) == 1


@pytest.mark.parametrize("json", ["'x'", "[]", "[1]", "[1, 300]", "[1, 'x']", "undefined", "[1, ...new Uint8Array(243)]"])
def test_bytes_that_were_not_agreed_are_never_sent(sandbox: Sandbox, json: str) -> None:
    source = (f"Array.prototype.toJSON = function () {{ delete Array.prototype.toJSON; return {json}; }};"
              "function encodeDownlink() { return {bytes: [1], fPort: 1}; }")
    with pytest.raises(ScriptError, match="not what it should be"):
        sandbox.encode_downlink(Source(source), {})


def test_a_length_that_changes_makes_no_long_frame(sandbox: Sandbox) -> None:
    source = ("function encodeDownlink() { var n = 0; return {fPort: 1, bytes: new Proxy([1], {get(t, k) {"
              "return k === 'length' ? (n++ < 4 ? 10 : 5000) : 7; }})}; }")
    assert len(sandbox.encode_downlink(Source(source), {}).data) == 10


def test_a_script_is_not_what_it_says_of_itself(sandbox: Sandbox) -> None:
    source = ("Array.prototype.filter = Array.prototype.map = () => ['\\u001b[31mevil'];"
              "function decodeUplink() { return {data: {}}; }")
    assert sandbox.check(Source(source)) == ("decodeUplink",)


@pytest.mark.parametrize("how", ["var P = Array.prototype; P[name] = 1;", "var P = [].constructor.prototype; P[name] = 1;",
                                 "Object.getPrototypeOf([])[name] = 1;", "Object.assign(String.prototype, {[name]: 1});"])
def test_what_takes_hold_of_a_prototype_runs_in_fresh_contexts(how: str) -> None:
    made = Program(ENGINE, "function decodeUplink(input) { if (input.fPort === 1) { return {data: {n: 1}}; }"
                           "var name = 'secret';" + how + " return {data: {n: [].secret || ''.secret}}; }", lambda: None)
    assert [made.answer("u", "[[1],1,0,{}]") for _ in range(3)] == ['D{"n":1}'] * 3
    assert made.answer("u", "[[1],2,0,{}]") == 'D{"n":1}'
