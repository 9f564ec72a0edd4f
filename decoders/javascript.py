"""Codecs in JavaScript: the scripts that ChirpStack v4 and The Things Stack run (LoRa Alliance TS013), unmodified.

They run in processes of their own (`_sandbox`), each call with a fresh state, with limits of time, memory and size. What
a script may be and what becomes of each value stands in docs/reference/scripts.md.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import Annotated, Any, Self

import msgspec

from city.errors import ScriptBreach, ScriptError
from city.scripts import MAX_SOURCE
from decoders._sandbox import wire
from decoders._sandbox.pool import Pool, Request
from decoders.codec import Frame

MAX_DEPTH = 32
BATCH = 256  # calls in one request
PATIENCE = 2.5  # times the limit of wall clock that a call gets when it is tried again, with CPU time bounded as well
STRIKES = 10  # calls of one batch that may break a limit before the rest is not tried
MAX_WARNINGS = 20
_MAX_WORDS = 300
_read_object = msgspec.json.Decoder(dict[str, Any]).decode
_read_texts = msgspec.json.Decoder(list[str]).decode
_read_bytes = msgspec.json.Decoder(Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=255)]],
                                             msgspec.Meta(min_length=2, max_length=243)]).decode  # an FPort, then bytes
_LONE_SURROGATE = re.compile(r"(?<!\\)((?:\\\\)*)\\u(?:d[89a-f][0-9a-f]{2}|0000)")


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one call: seconds of wall clock, bytes of memory, of output (JSON) and of stack, leaves of the output."""

    seconds: float = 0.1
    memory: int = 16 << 20
    output: int = 64 << 10
    leaves: int = 256
    stack: int = 256 << 10


@dataclass(frozen=True)
class Program:
    """A script's source, and who it belongs to: equal scripts of two owners never run in one engine context, and owners
    take turns where several wait."""

    source: str
    owner: str = ""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the source, hexadecimal."""
        return hashlib.sha256(self.encoded).hexdigest()

    @cached_property
    def key(self) -> bytes:
        """What the processes know it by."""
        return hashlib.sha256(json.dumps(self.owner).encode() + b"\n" + self.encoded).digest()

    @cached_property
    def encoded(self) -> bytes:
        """UTF-8 without a byte order mark; nothing where the source has no such form."""
        try:
            return self.source.removeprefix("\ufeff").encode()
        except UnicodeEncodeError:
            return b""


@dataclass(frozen=True, slots=True)
class Uplinked:
    """An uplink as a script gets it: bytes and FPort, when it was received, the device's variables."""

    frame: Frame
    at: datetime
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a script said: `data` and `warnings`, JSON values."""

    data: dict[str, Any]
    warnings: tuple[str, ...] = ()


class Sandbox:
    """Runs scripts in `workers` processes, which start when first needed. May be used by several threads at once."""

    def __init__(self, *, workers: int = 1, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._pool = Pool(max(workers, 1), {name: value for name, value in asdict(self._limits).items() if name != "leaves"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End all processes. What is asked afterwards gets SandboxDown."""
        self._pool.close()

    def processes(self) -> tuple[int, ...]:
        """The ids of the processes that there are now."""
        return self._pool.processes()

    def decode_uplinks(self, program: Program, uplinks: Sequence[Uplinked], *,
                       normalize: bool = False) -> list[Decoded | ScriptError]:
        """What `decodeUplink` (Decode, Decoder) says of each, in order; with `normalize` what `normalizeUplink` makes of
        that. A call that fails is answered by its error. Raises SandboxDown and nothing else."""
        kind = wire.NORMALIZED if normalize else wire.UPLINK
        answers: list[Decoded | ScriptError] = []

        def heard(come: list[str]) -> None:
            answers.extend([_or_error(self._decoded, answer) for answer in come])

        self._run(program, kind, [_uplink(one) for one in uplinks], heard)
        return answers

    def encode_downlink(self, program: Program, data: Mapping[str, Any], *, variables: Mapping[str, str] | None = None) -> Frame:
        """The frame that `encodeDownlink` (Encode, Encoder) makes of `data`; raises ScriptError, SandboxDown."""
        answer = self._one(program, wire.ENCODE, _encoded((dict(data), dict(variables or {}))))
        try:
            port, *said = _read_bytes(_body(answer, wire.BYTES, self._limits))
        except (msgspec.DecodeError, ValueError) as error:
            raise _odd() from error
        return Frame(port, bytes(said))

    def decode_downlink(self, program: Program, frame: Frame, *, variables: Mapping[str, str] | None = None) -> Decoded:
        """What `decodeDownlink` says of a frame; raises ScriptError, SandboxDown."""
        text = _encoded((list(frame.data), frame.port, 0, dict(variables or {})))
        return self._decoded(self._one(program, wire.DOWNLINK, text))

    def check(self, program: Program) -> tuple[str, ...]:
        """The entry functions that the script defines; raises ScriptError with the line where it cannot be read, and
        where it defines none."""
        answer = self._one(program, wire.CHECK, b"[]")
        said = _body(answer, wire.CHECKED, self._limits).split()
        names = [name for name in wire.ENTRIES if name in said]
        if not names:
            raise ScriptError("The script defines none of the functions decodeUplink, encodeDownlink, Decode, Decoder.")
        return tuple(names)

    def _one(self, program: Program, kind: bytes, text: bytes) -> str:
        answers: list[str] = []
        self._run(program, kind, [text], answers.extend)
        return answers[0]

    def _run(self, program: Program, kind: bytes, texts: list[bytes], heard: Callable[[list[str]], None]) -> None:
        if not 0 < len(program.encoded) <= MAX_SOURCE or b"\0" in program.encoded:
            heard([wire.UNUSABLE + '"the source is empty, longer than 256 kB or not UTF-8 text"'] * len(texts))
            return
        for at in range(0, len(texts), BATCH):
            _Batch(self._pool, self._limits, program, kind, heard).run(texts[at:at + BATCH])

    def _decoded(self, answer: str) -> Decoded:
        text = _body(answer, wire.DATA, self._limits)
        if "\\u" in text:
            text = _LONE_SURROGATE.sub(r"\1\\ufffd", text)
        data, _, warnings = text.partition("\n")
        if data.count("{") + data.count("[") > MAX_DEPTH and _depth(data) > MAX_DEPTH:
            raise ScriptBreach("The script's output is nested more than {depth} deep.", depth=MAX_DEPTH)
        try:
            value = _read_object(data)
            said = tuple(map(_clipped, _read_texts(warnings)[:MAX_WARNINGS])) if warnings else ()
        except (msgspec.DecodeError, RecursionError) as error:
            raise _odd() from error
        most = self._limits.leaves
        if len(data) > 2 * most and data.count(",") >= most and _leaves(value) > most:
            raise ScriptBreach("The script's output has more than {leaves} values.", leaves=most)
        return Decoded(value, said)


class _Batch:
    """Calls of one kind to one script. A call that ends its worker is tried once more in another before it is blamed:
    on a busy machine the wall clock can run out on an innocent."""

    def __init__(self, pool: Pool, limits: Limits, program: Program, kind: bytes, heard: Callable[[list[str]], None]) -> None:
        self._pool, self._limits, self._kind, self._heard = pool, limits, kind, heard
        self._digest, self._source, self._owner = program.key, program.encoded, program.owner
        self._strikes = 0

    def run(self, texts: list[bytes]) -> None:
        """One answer each is heard."""
        answered, careful = 0, False
        with self._pool.lease(self._digest, self._owner) as lease:
            while answered < len(texts) and self._strikes < STRIKES:
                got = lease.ask(self._request(texts[answered:], careful=careful))
                answered += len(got)
                broke = bool(got) and got[-1][0] in wire.BREACHES
                dead = not broke and answered < len(texts)
                if dead and careful:
                    self._heard([lease.lost])
                    answered += 1
                self._strikes += broke or (dead and careful)
                careful = dead and not careful
        self._heard([wire.TIME] * (len(texts) - answered))

    def _request(self, texts: list[bytes], *, careful: bool) -> Request:
        seconds = self._limits.seconds * (PATIENCE if careful else 1)
        return Request(self._kind, self._digest, self._source, texts, seconds, self._heard, careful=careful)


def _uplink(one: Uplinked) -> bytes:
    return _encoded((list(one.frame.data), one.frame.port, int(one.at.timestamp() * 1000), one.variables))


def _encoded(given: object) -> bytes:
    try:
        return msgspec.json.encode(given)
    except (UnicodeEncodeError, TypeError):  # half of a surrogate pair, or not a plain dict
        return json.dumps(given, default=dict).encode()


def _or_error(read: Callable[[str], Decoded], answer: str) -> Decoded | ScriptError:
    try:
        return read(answer)
    except ScriptError as error:
        return error


def _body(answer: str, wanted: str, limits: Limits) -> str:
    """What stands behind the letter `wanted`; any other letter is an error."""
    if answer[0] == wanted:
        return answer[1:]
    raise _error(answer, limits)


def _error(answer: str, limits: Limits) -> ScriptError:
    letter, words = answer[0], answer[1:]
    if letter == wire.TIME:
        return ScriptBreach("The script ran longer than {milliseconds} ms and was stopped.",
                            milliseconds=round(limits.seconds * 1000))
    if letter == wire.DIED:
        return ScriptBreach("The script's process died, and died again when it was tried in another.")
    if letter == wire.MEMORY:
        return ScriptBreach("The script wanted more than {megabytes} MB of memory.", megabytes=limits.memory >> 20)
    if letter == wire.STACK:
        return ScriptBreach("The script calls itself too deeply: its stack is full.")
    if letter == wire.OUTPUT:
        return ScriptBreach("The script's output is longer than {kilobytes} kB.", kilobytes=limits.output >> 10)
    if letter == wire.SAYS:
        return ScriptError("The script says: {words}", words=_said(words))
    if letter == wire.THREW:
        line, _, said = words.partition("\n")
        if line != "0" and line.isdecimal():
            return ScriptError("The script failed in line {line}: {words}", line=int(line), words=_said(said))
        return ScriptError("The script failed: {words}", words=_said(said))
    return ScriptError("The script cannot be used: {words}", words=_said(words))


def _said(quoted: str) -> str:
    try:
        text: str = msgspec.json.decode(_LONE_SURROGATE.sub(r"\1\\ufffd", quoted), type=str)
    except msgspec.DecodeError as error:
        raise _odd() from error
    return _clipped(text)


def _odd() -> ScriptError:
    """A script that changes what is built in can make its answer into something that was not agreed."""
    return ScriptError("The script cannot be used: {words}", words="its answer is not what it should be")


def _clipped(words: str) -> str:
    """On one line, without control characters, at most 300 characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
    return line if len(line) <= _MAX_WORDS else line[:_MAX_WORDS - 1] + "…"


def _depth(text: str) -> int:
    deepest = depth = 0
    for letter in re.sub(r'"(?:[^"\\]|\\.)*"', "", text):
        depth += (letter in "[{") - (letter in "]}")
        deepest = max(deepest, depth)
    return deepest


def _leaves(value: object) -> int:
    if isinstance(value, dict):
        return sum(map(_leaves, value.values()))
    return sum(map(_leaves, value)) if isinstance(value, list) else 1
