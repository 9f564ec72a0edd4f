"""What a hostile script may try, against real processes: it ends soon, says why, and harms nobody else."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from city.errors import SandboxDown, ScriptBreach, ScriptError
from decoders._sandbox.pool import Request
from decoders._sandbox.wire import UPLINK
from decoders.codec import Frame
from decoders.javascript import Decoded, Limits, Program, Sandbox, Uplinked

pytestmark = pytest.mark.wire

AT = datetime(2026, 3, 1, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]
GOOD = Program("function decodeUplink(i) { return {data: {n: i.bytes[0]}} }")
SOON = 0.5  # seconds within which an attack is over, on a machine with nothing else to do
BUSY = 6  # times that when the machine is busy with other tests


def uplink(number=1):
    return Uplinked(Frame(1, bytes([number])), AT)


def body(text):
    return "function decodeUplink(input) {\n" + text + "\nreturn {data: {through: true}} }"


TIME, MEMORY, STACK, OUTPUT = "ran longer than 100 ms", "more than 16 MB", "stack is full", "longer than 64 kB"

ATTACKS = {
    "endless loop": (body("while (true) {}"), TIME),
    "endless loop in try and catch": (body("for (;;) { try { while (true) {} } catch (e) {} finally { continue } }"), TIME),
    "endless loop in a getter": ("function decodeUplink(i) { return {get data() { for (;;) {} }} }", TIME),
    "endless loop in a getter of the data": ("function decodeUplink(i) { return {data: {get x() { for (;;) {} }}} }", TIME),
    "endless loop in a sort": (body("[3, 2, 1].sort(() => { for (;;) {} });"), TIME),
    "endless loop in a Proxy": ("function decodeUplink(i) { return new Proxy({}, {get() { for (;;) {} }}) }", TIME),
    "endless generator": (body("for (const x of (function* () { for (;;) yield 1 })()) {}"), TIME),
    "endless spread": (body("Math.max(...(function* () { for (;;) yield 1 })());"), f"{TIME}|{MEMORY}"),
    "endless toJSON": ("function decodeUplink(i) { return {data: {toJSON() { for (;;) {} }}} }", TIME),
    "endless toString of what is thrown": (body("throw {toString() { for (;;) {} }};"), TIME),
    "endless loop at top level": ("for (;;) {}\nfunction decodeUplink() {}", TIME),
    "endless loop outside its function": ("}); for (;;) {} (function () {", "SyntaxError"),
    "an end of its function": ("} (kept = {}), function () {", "SyntaxError"),
    "another end of its function": ("}, kept = {}, function () {", "SyntaxError"),
    "backtracking": (body("/^(a+)+$/.test('a'.repeat(40) + 'b');"), TIME),
    "sorting without end": (body("const a = new Array(3e5).fill(0).map((_, i) => i ^ 0x5555); for (;;) a.sort((x, y) => x - y);"),
                            f"{TIME}|{MEMORY}"),
    "one long native call": (body("let n = 3n; for (;;) n = n ** 99n;"), f"{TIME}|{MEMORY}|BigInt"),
    "arrays": (body("const a = []; for (;;) a.push(new Array(1e5).fill(a.length));"), MEMORY),
    "strings": (body("let s = 'x'; for (;;) s += s + s.length;"), f"{MEMORY}|string too long|invalid string length"),
    "repeat": (body("const a = []; for (;;) a.push('x'.repeat(1e6) + a.length);"), f"{MEMORY}|{TIME}"),
    "one ArrayBuffer": (body("new ArrayBuffer(2e9);"), f"{MEMORY}|invalid array buffer length"),
    "many typed arrays": (body("const a = []; for (;;) a.push(new Uint8Array(1e6));"), MEMORY),
    "Buffer": (body("const a = []; for (;;) a.push(Buffer.alloc(1e6));"), MEMORY),
    "deep recursion": ("function decodeUplink(i) { return decodeUplink(i) }", STACK),
    "deep recursion through natives": ("function decodeUplink(i) { return [1].map(decodeUplink) }", STACK),
    "ten megabytes": ("function decodeUplink(i) { return {data: {x: 'x'.repeat(1e7)}} }", f"{OUTPUT}|{MEMORY}|{TIME}"),
    "a hundred kilobytes": ("function decodeUplink(i) { return {data: {x: 'x'.repeat(1e5)}} }", OUTPUT),
    "nesting": (
        "function decodeUplink(i) { let d = {}; for (let k = 0; k < 1e5; k++) d = {d}; return {data: d} }",
        f"{STACK}|{MEMORY}|{TIME}"),
    "nesting of 100": (
        "function decodeUplink(i) { let d = {}; for (let k = 0; k < 100; k++) d = {d}; return {data: d} }", "32 deep"),
    "many leaves": ("function decodeUplink(i) { return {data: {a: new Array(257).fill(1)}} }", "more than 256 values"),
    "getter bomb": (("const o = () => ({get a() { return o() }, get b() { return o() }});"
                     "function decodeUplink(i) { return {data: o()} }"),
                    f"{STACK}|{TIME}|{MEMORY}"),
    "waiting": (body("Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0);"), f"{TIME}|cannot block"),
    "promises": (body("const f = () => Promise.resolve().then(f); for (;;) f();"), f"{TIME}|{MEMORY}"),
    "a breach that is caught": (body("for (;;) { try { (function f() { f() })() } catch (e) {} }"), TIME),
    "error of errors": (
        body("const e = new Error('x');\nObject.defineProperty(e, 'message', {get() { for (;;) {} }}); throw e;"), TIME),
}


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(workers=1) as made:
        made.decode_uplinks(GOOD, [uplink()])
        yield made


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_ends_soon_with_a_clear_error_and_others_go_on(sandbox, name, record_property):
    source, words = ATTACKS[name]
    sandbox.decode_uplinks(GOOD, [uplink()])
    began = time.perf_counter()
    (answer,) = sandbox.decode_uplinks(Program(source), [uplink()])
    took = time.perf_counter() - began
    record_property("seconds", round(took, 3))
    assert isinstance(answer, ScriptError)
    assert any(word in str(answer) for word in words.split("|")), str(answer)
    assert took < SOON * BUSY
    assert sandbox.decode_uplinks(GOOD, [uplink(9)]) == [Decoded({"n": 9})]


def test_a_huge_script_is_refused(sandbox):
    (answer,) = sandbox.decode_uplinks(Program("//" + "x" * 300_000), [uplink()])
    assert "longer than 256 kB" in str(answer)


def test_a_culprit_spoils_neither_those_before_nor_those_after(sandbox):
    script = Program("function decodeUplink(i) { if (i.bytes[0] === 5) for (;;) {} return {data: {n: i.bytes[0]}} }")
    answers = sandbox.decode_uplinks(script, [uplink(n) for n in range(10)])
    assert [answer.data["n"] if isinstance(answer, Decoded) else type(answer) for answer in answers] \
        == [0, 1, 2, 3, 4, ScriptBreach, 6, 7, 8, 9]


def test_a_batch_of_nothing_but_breaches_is_given_up(sandbox):
    began = time.perf_counter()
    answers = sandbox.decode_uplinks(Program(body("for (;;) {}")), [uplink()] * 200)
    assert [type(answer) for answer in answers] == [ScriptBreach] * 200
    assert time.perf_counter() - began < 10 * SOON * 2


POLLUTIONS = [
    "Object.prototype.evil = 1", "Array.prototype.evil = 1", "Array.prototype.push = () => 7", "String.prototype.evil = 1",
    "Function.prototype.call = null", "Math.floor = () => 7", "JSON.stringify = () => '{}'", "Object.prototype.toJSON = () => 7",
    "globalThis.evil = 1", "Object.defineProperty(globalThis, 'evil', {value: 1})", "evil = 1", "(0, eval)('var evil = 1')",
    "(0, eval)('let evil = 1')", "Function('evil = 1')()", "Function('this.evil = 1')()", "[].__proto__.evil = 1",
    "Object.setPrototypeOf(Array.prototype, {evil: 1})", "Object.setPrototypeOf(globalThis, {evil: 1})",
    "Object.preventExtensions(globalThis)", "arguments.callee.evil = 1", "decodeUplink.evil = 1",
    "Object.assign(Math, {evil: 1})",
    "Reflect.defineProperty(Reflect, 'evil', {value: 1})", "(function* () {}).constructor.prototype.evil = 1",
    "Object.getPrototypeOf([][Symbol.iterator]()).next = () => ({done: true})", "RegExp.prototype.exec = () => null",
    "Array.prototype[Symbol.iterator] = function* () {}", "delete globalThis.Array", "delete Array.prototype.map",
    "Array = 5", "undefined = 5", "console.log.evil = 1", "Uint8Array.prototype.toJSON = () => 7",
    "Error.prepareStackTrace = () => 7",
    "Object.freeze(Date.prototype)", "Date.prototype.toISOString = () => 'evil'", "Symbol.evil = 1", "Promise.prototype.then = 5",
    "new Proxy(globalThis, {}).evil = 1",
]
PROBE = """
function probe() {
  const seen = [];
  for (const one of [Object, Array, String, Function, Math, JSON, Reflect, Symbol, RegExp, Date, Error, Promise, Uint8Array,
      Object.prototype, Array.prototype, String.prototype, Function.prototype, Date.prototype, globalThis, probe, decodeUplink,
      Object.getPrototypeOf(function* () {}), console.log])
    if ('evil' in one) seen.push(String(one));
  return {seen, evil: typeof evil, push: [1].push(2), floor: Math.floor(1.5), map: [1].map((x) => x + 1)[0],
    call: probe.call === null, spread: [...[1, 2]].length, exec: /a/.exec('a') !== null,
    json: JSON.stringify({a: [1]}), at: new Date(0).toISOString(),
    array: typeof Array, bytes: JSON.stringify(new Uint8Array(1)), stack: typeof new Error('x').stack,
    then: typeof Promise.prototype.then,
    extensible: Object.isExtensible(globalThis)};
}
"""


@pytest.mark.parametrize("strict", ["", "'use strict';\n"])
@pytest.mark.parametrize("deed", POLLUTIONS)
def test_no_deed_of_one_call_is_seen_by_a_later_one(sandbox, deed, strict):
    script = Program(strict + PROBE + "function decodeUplink(i) { if (i.bytes[0] === 1) { try { " + deed + " } catch (e) {} "
                     "return {data: {x: 1}} }\nreturn {data: probe()} }")
    clean, *others = sandbox.decode_uplinks(script, [uplink(n) for n in (0, 0, 1, 0, 1, 1, 0)])
    assert isinstance(clean, Decoded)
    assert not clean.data["seen"]
    assert [others[k] for k in (0, 2, 5)] == [clean] * 3
    hidden = Program(script.source + "\n// first call")  # … and where the very first call does it
    assert sandbox.decode_uplinks(hidden, [uplink(n) for n in (1, 0, 1, 0)])[1::2] == [clean] * 2


def test_one_script_sees_nothing_of_another(sandbox):
    sandbox.decode_uplinks(Program("Object.prototype.evil = 1; evil = 2;" + body("")), [uplink()])
    probe = Program(PROBE + "function decodeUplink(i) { return {data: probe()} }")
    (answer,) = sandbox.decode_uplinks(probe, [uplink()])
    assert (answer.data["seen"], answer.data["evil"]) == ([], "undefined")


def resident(pids):
    pages = [int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) for pid in pids]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def test_memory_is_given_back(sandbox):
    sandbox.decode_uplinks(GOOD, [uplink()] * 2)
    before = resident(sandbox.processes())
    for name in ("arrays", "many typed arrays", "ten megabytes"):
        sandbox.decode_uplinks(Program(ATTACKS[name][0]), [uplink()] * 2)
    sandbox.decode_uplinks(GOOD, [uplink()] * 2)
    assert resident(sandbox.processes()) < before + (12 << 20)


def test_many_scripts_are_kept_within_bounds(sandbox):
    for number in range(100):
        script = Program(GOOD.source + f"// {number}")
        assert sandbox.decode_uplinks(script, [uplink(3)]) == [Decoded({"n": 3})]
    assert resident(sandbox.processes()) < 160 << 20


def test_a_worker_can_open_nothing_and_start_nothing(sandbox):
    sandbox.decode_uplinks(GOOD, [uplink()])
    limits = Path(f"/proc/{sandbox.processes()[0]}/limits").read_text(encoding="ascii")
    said = {line[:25].strip(): line[26:].split()[:2] for line in limits.splitlines()[1:]}
    assert said["Max file size"] == said["Max core file size"] == said["Max processes"] == ["0", "0"]
    assert int(said["Max open files"][0]) <= 4
    assert int(said["Max address space"][0]) < 1 << 30
    assert Path(f"/proc/{sandbox.processes()[0]}/cwd").readlink() == Path("/")
    environment = Path(f"/proc/{sandbox.processes()[0]}/environ").read_bytes()
    assert environment.rstrip(b"\0") == b"LC_ALL=C.UTF-8"


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split(")")[1].split()[0] == "Z"


def within(seconds, true):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


def test_no_process_is_left_when_it_is_closed():
    made = Sandbox(workers=2)
    made.decode_uplinks(GOOD, [uplink()])
    pids = made.processes()
    made.close()
    assert pids
    assert all(map(gone, pids))
    with pytest.raises(SandboxDown):
        made.decode_uplinks(GOOD, [uplink()])


def test_no_process_outlives_its_parent():
    code = (f"import sys, os, signal; sys.path.insert(0, {str(ROOT)!r})\n"
            "from decoders.javascript import *; from decoders.codec import Frame; from datetime import datetime, UTC\n"
            "s = Sandbox(); u = Uplinked(Frame(1, b'a'), datetime(2026, 1, 1, tzinfo=UTC))\n"
            "s.decode_uplinks(Program('function decodeUplink() { return {data: {}} }'), [u])\n"
            "print(*s.processes(), flush=True); os.kill(os.getpid(), signal.SIGKILL)")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == -signal.SIGKILL
    pids = [int(word) for word in run.stdout.split()]
    assert len(pids) == 2
    within(10, lambda: all(map(gone, pids)))


def test_a_killed_worker_is_replaced(sandbox):
    sandbox.decode_uplinks(GOOD, [uplink()])
    for pid in sandbox.processes():
        os.kill(pid, signal.SIGKILL)
    within(5, lambda: all(map(gone, sandbox.processes())))
    assert sandbox.decode_uplinks(GOOD, [uplink(4)] * 3) == [Decoded({"n": 4})] * 3


def test_several_threads_share_a_sandbox():
    wrong = []

    def work(sandbox, number):
        script = GOOD if number % 2 else Program(body("for (;;) {}"))
        for _ in range(3):
            (answer,) = sandbox.decode_uplinks(script, [uplink(number)])
            fine = answer == Decoded({"n": number}) if number % 2 else isinstance(answer, ScriptBreach)
            wrong.extend([] if fine else [answer])

    with Sandbox(workers=2) as made:
        threads = [threading.Thread(target=work, args=(made, number)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(made.processes()) <= 3
    assert wrong == []


def test_a_parent_that_is_slow_to_read_is_not_the_scripts_fault(sandbox):
    script = Program("function decodeUplink(i) { return {data: {x: 'x'.repeat(10000)}} }")
    heard = []

    def slowly(answers):
        threading.Event().wait(0 if heard else 1.5)
        heard.extend(answers)

    request = Request(UPLINK, bytes.fromhex(script.digest), script.encoded, [b"[[1],1,0,{}]"] * 200, 0.5, slowly)
    with sandbox._pool.lease(b"") as lease:
        assert len(lease.ask(request)) == 200
    assert len(heard) == 200


def test_an_innocent_that_is_stopped_once_is_tried_again():
    with Sandbox(limits=Limits(seconds=0.3)) as made:
        made.decode_uplinks(GOOD, [uplink()])
        slow = Program("function decodeUplink(i) { const t = Date.now(); while (Date.now() - t < 150) {} return {data: {n: 1}} }")
        stop = threading.Timer(0.05, lambda: os.kill(made.processes()[0], signal.SIGKILL))
        stop.start()
        assert made.decode_uplinks(slow, [uplink()]) == [Decoded({"n": 1})]
        stop.join()
