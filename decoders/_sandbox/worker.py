"""A worker: reads requests from its standard input, runs scripts, writes answers to its standard output.

It is started with limits as JSON and gives up its rights before it reads anything: no new files or sockets, no writing,
no processes, bounded memory. A timer of the kernel ends it when one call takes too long, whatever it is doing; it
cannot be caught. It imports nothing of ours but `wire`, so that it starts fast.
"""

import json
import os
import re
import signal
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import _quickjs

from decoders._sandbox import wire

CONTEXTS = 32  # programs kept ready; each holds about half a megabyte
RECYCLE = 20_000  # calls after which a context is made anew: pending promises of old calls pile up in it
TRUST = 8  # failures that a fresh context confirmed before a locked one is believed at once
FLUSH_SECONDS = 0.0005
MAX_GROWTH = 96 << 20  # bytes of resident memory beyond those at the start; then the worker ends when it is idle

_BUILT_IN = (r"\b(?:Object|Function|Array|String|Number|Boolean|Date|Math|JSON|RegExp|Symbol|Promise|Map|Set|Error|Buffer|"
             r"BigInt|Reflect|\w+Error|\w*Array|ArrayBuffer|DataView)")
# A script that names what is built in next to an assignment, or takes hold of a prototype as a whole, may change it under
# any name: it gets a context of its own for each call.
_MEDDLES = re.compile(r"\beval\b|__proto__|[sg]etPrototypeOf|__define[GS]etter__|\bconstructor\s*(?:\.\s*prototype|\[)|"
                      + _BUILT_IN + r"(?:\.prototype)?(?:\.\w+|\[[^\]\n]{1,40}\])\s*=[^=]|"
                      + _BUILT_IN + r"\s*\.\s*prototype\b(?!\s*[.\[])")
_EXPORTS = re.compile(r"\b(?:module|exports)\b")
_BUFFER = re.compile(r"\bBuffer\b")
_THROWS_ANYTHING = re.compile(r"\bthrow\s+(?!new\b)")
_NULL = 'X0\n"null"'  # what the engine throws when there is no memory left even for an error
_SYNTAX_LINE = re.compile(r"<input>:(\d+)")


def _one_line(path: Path) -> str:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return " ".join(line for line in lines if not line.startswith("//"))


class Engine:
    """Makes contexts with the limits of memory and stack."""

    def __init__(self, *, memory: int, stack: int, seconds: float, timers: bool) -> None:
        here = Path(__file__).parent
        self._memory, self._stack, self._seconds, self._timers = memory, stack, seconds, timers
        self._realm, self._buffer = _one_line(here / "realm.js"), _one_line(here / "buffer.js")

    def load(self, wrapped: str, locked: bool | None, *, buffer: bool,
             proofs: Sequence[str] = ()) -> Callable[[str, str], object]:
        """The script in a context of its own: a function (kind, text) that answers. `proofs` must be free of errors."""
        context = _quickjs.Context()
        context.set_memory_limit(self._memory)
        context.set_max_stack_size(self._stack)
        if not self._timers:
            context.set_time_limit(self._seconds)
        for proof in proofs:
            context.eval(proof)
        if buffer:
            context.eval(self._buffer)
        realm = context.eval(self._realm)
        run: Callable[[str, str], object] = realm(context.eval(wrapped), locked)
        return run


def wrap(source: str) -> str:
    """`source` as a function that evaluates it and returns its entry points; its first line is line 2. One that takes
    `module` and `exports` where they are spoken of, outside of the script's own function, which may declare them."""
    found = ",".join(f'{name}:typeof {name}==="function"?{name}:undefined' for name in wire.ENTRIES if name in source)
    body = "(function(){\n" + source + "\n;return {" + found + "}})"
    return f"(function(module,exports){{return {body}.call(this)}})" if _EXPORTS.search(source) else body


def proofs(source: str) -> tuple[str, str]:
    """Without an error in both, `source` cannot end the function that it is wrapped in: what follows an arrow function in
    parentheses is a comma or a parenthesis, and neither follows a declaration."""
    return "{let $;{function $(){\n" + source + "\n}}}", "(() => {\n" + source + "\n})"


class Program:
    """One script. It runs in a locked context, evaluated anew for each call, which costs next to nothing; where that
    cannot be told from a fresh context per call, in a fresh context per call."""

    def __init__(self, engine: Engine, source: str, arm: Callable[[], None]) -> None:
        self._engine, self._arm = engine, arm
        self._wrapped = wrap(source)
        self._buffer = _BUFFER.search(source) is not None
        self._proofs: tuple[str, ...] = proofs(source)
        self._run: Callable[[str, str], object] | None = None
        self._always_fresh = _MEDDLES.search(source) is not None
        self._null_is_memory = _THROWS_ANYTHING.search(source) is None
        self._confirmed = self._calls = 0

    def answer(self, kind: str, text: str) -> str:
        """The answer to one call, its letter first."""
        first = ""
        if self._run is not None:
            self._calls += 1
            first = _said(self._run, kind, text)
            if first[0] == "D":
                return first
            first = self._settled(first)
            if first[0] in "DB" or (first[0] != "!" and not self._doubtful(first)):
                return first
            self._arm()
        answer, changed = self._fresh(kind, text)
        self._learn(first, answer, changed=changed, kind=kind)
        return wire.MEMORY if answer == _NULL and self._null_is_memory else answer

    def rest(self) -> None:
        """Between requests: a context that has served long is made anew with the next call."""
        if self._calls >= RECYCLE:
            self._run, self._calls = None, 0

    def _settled(self, answer: str) -> str:
        if answer[0] == "~":  # the global object is no longer what it was, or nobody has looked
            self._run, self._calls = None, 0
        return answer.removeprefix("~")

    def _doubtful(self, answer: str) -> bool:
        return self._confirmed < TRUST or answer[0] in "MS" or answer == _NULL or "TypeError" in answer or "EvalError" in answer

    def _fresh(self, kind: str, text: str) -> tuple[str, bool]:
        try:
            run = self._engine.load(self._wrapped, False if self._always_fresh else None, buffer=self._buffer,
                                    proofs=self._proofs)
        except (_quickjs.JSException, ValueError) as error:
            return _failed(error), True
        self._proofs = ()
        self._arm()
        answer = _said(run, kind, text).removeprefix("~")
        self._arm()
        if answer[0] in "MS" or self._always_fresh:
            return answer, True
        try:
            return answer, bool(run("?", ""))
        except _quickjs.JSException:
            return answer, True

    def _learn(self, first: str, answer: str, *, changed: bool, kind: str) -> None:
        if first and first == answer:
            self._confirmed += 1
        elif first:
            self._always_fresh, self._run = True, None
        if self._run is None and answer[0] in "DBXEN" and kind != "c":
            self._always_fresh = self._always_fresh or changed
            if not self._always_fresh:
                self._arm()
                self._run = self._load_locked()

    def _load_locked(self) -> Callable[[str, str], object] | None:
        try:
            return self._engine.load(self._wrapped, True, buffer=self._buffer)
        except (_quickjs.JSException, ValueError):
            self._always_fresh = True
            return None


def _said(run: Callable[[str, str], object], kind: str, text: str) -> str:
    """The answer; after "~" where the call ended in a way that left no time to clean up after it."""
    try:
        answer = str(run(kind, text))
    except (_quickjs.JSException, TypeError, ValueError, MemoryError) as error:
        return "~" + _failed(error)
    if answer[:1] == "{":
        return wire.DATA + answer
    return "~" + wire.DATA + answer[1:] if answer[:2] == "~{" else answer


def _failed(error: Exception) -> str:
    words = str(error)
    if isinstance(error, _quickjs.StackOverflow):
        return wire.STACK
    if isinstance(error, MemoryError) or words.startswith("InternalError: out of memory"):
        return wire.MEMORY
    if words.startswith("InternalError: interrupted"):
        return wire.TIME
    line = _SYNTAX_LINE.search(words)
    return f"{wire.THREW}{max(int(line[1]) - 1, 0) if line else 0}\n" + json.dumps(words.partition("\n")[0][:600])


class Server:
    """Answers request after request."""

    def __init__(self, limits: dict[str, float]) -> None:
        self._timers = hasattr(signal, "setitimer")
        self._engine = Engine(memory=int(limits["memory"]), stack=int(limits["stack"]), seconds=limits["seconds"],
                              timers=self._timers)
        self._output, self._cpu = int(limits["output"]), limits["seconds"]
        self._programs: OrderedDict[bytes, Program] = OrderedDict()
        self._wall, self._careful = 0.0, False

    def serve(self, idle: Callable[[], None]) -> None:
        """Until the other end closes; `idle` is called between requests."""
        while True:
            kind, flags, digest, wall, source_length, items = wire.HEAD.unpack(_read(wire.HEAD.size))
            source = _read(source_length) if source_length else None
            texts = _read(items).decode().split("\n")
            self._wall, self._careful = wall / 1000, bool(flags & wire.CAREFUL)
            program = self._program(digest, source)
            if program is None:
                _write([wire.UNKNOWN_SOURCE.encode()])
            else:
                self._answer(program, kind.decode(), texts)
                program.rest()
            idle()

    def _program(self, digest: bytes, source: bytes | None) -> Program | None:
        program = self._programs.pop(digest, None)
        if program is None and source is not None:
            program = Program(self._engine, source.decode(), self._arm)
        if program is not None:
            self._programs[digest] = program
        if len(self._programs) > CONTEXTS:
            self._programs.popitem(last=False)
        return program

    def _answer(self, program: Program, kind: str, texts: list[str]) -> None:
        waiting: list[bytes] = []
        sent = time.perf_counter()
        for text in texts:
            self._arm()
            said = program.answer(kind, text)
            answer = said.encode(errors="replace")
            if len(answer) > self._output:
                said, answer = wire.OUTPUT, wire.OUTPUT.encode()
            waiting.append(answer)
            broken = said[0] in wire.BREACHES
            if broken or self._careful or time.perf_counter() - sent > FLUSH_SECONDS:
                self._send(waiting)
                waiting, sent = [], time.perf_counter()
            if broken:
                _end()
        self._send(waiting)

    def _send(self, answers: list[bytes]) -> None:
        self._disarm()  # a parent that is slow to read is not the script's fault
        _write(answers)

    def _arm(self) -> None:
        if self._timers:
            signal.setitimer(signal.ITIMER_REAL, self._wall)
            if self._careful:
                signal.setitimer(signal.ITIMER_PROF, self._cpu)

    def _disarm(self) -> None:
        if self._timers:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.setitimer(signal.ITIMER_PROF, 0)


def _read(length: int) -> bytes:
    whole = sys.stdin.buffer.read(length)
    if len(whole) < length:
        _end()
    return whole


def _write(answers: list[bytes]) -> None:
    rest = memoryview(b"".join(part for answer in answers for part in (wire.LENGTH.pack(len(answer)), answer)))
    try:
        while rest:
            rest = rest[os.write(1, rest):]
    except BrokenPipeError:
        _end()


def _end() -> NoReturn:
    os._exit(0)


def _give_up_rights(memory: int) -> Callable[[], None]:
    """No file, socket or process can be had from here on; returns what ends the worker when it has grown too much."""
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), signal.SIG_IGN if name == "SIGINT" else signal.SIG_DFL)
    try:
        import resource
    except ImportError:  # not POSIX: the engine's own limits must do
        return lambda: None
    statm = os.open("/proc/self/statm", os.O_RDONLY) if Path("/proc/self/statm").exists() else -1
    page = os.sysconf("SC_PAGE_SIZE")
    start = [int(word) * page for word in os.pread(statm, 200, 0).split()] if statm >= 0 else []
    wanted = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CPU, 3600),
              (resource.RLIMIT_NOFILE, max(statm, 2) + 1), (resource.RLIMIT_NPROC, 0)]
    if start:
        wanted.append((resource.RLIMIT_AS, start[0] + MAX_GROWTH * 2 + 8 * memory))
    for limit, value in wanted:
        hard = resource.getrlimit(limit)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (least, least))

    def idle() -> None:
        if start and int(os.pread(statm, 200, 0).split()[1]) * page > start[1] + MAX_GROWTH:
            _end()

    return idle


def main(limits: str) -> None:
    """Serve with `limits` (JSON: seconds, memory, output, stack)."""
    said = json.loads(limits)
    server = Server(said)
    idle = _give_up_rights(int(said["memory"]))
    os.write(1, wire.READY)
    server.serve(idle)
