"""The processes in which scripts run: started, given work, watched, replaced."""

import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from city.errors import SandboxDown
from decoders._sandbox import wire
from decoders._sandbox.turns import Turns

START_SECONDS = 20.0
GRACE_SECONDS = 0.15  # silence beyond a call's own limits after which a worker is ended from here
WRITE_SECONDS = 5.0
MAX_ANSWER = 1 << 20
_ROOT = Path(__file__).resolve().parents[2]
_START = "import sys; sys.path[:0] = sys.argv[2:]; from decoders._sandbox.worker import main; main(sys.argv[1])"


@dataclass(frozen=True, slots=True)
class Request:
    """Calls of one kind to one script; `texts` are their arguments as JSON on one line each. `heard` gets the answers as they
    come, while the worker goes on."""

    kind: bytes
    digest: bytes
    source: bytes
    texts: list[bytes]
    seconds: float
    heard: Callable[[list[str]], None]
    careful: bool = False

    def encoded(self, *, with_source: bool) -> bytes:
        """As `wire` says."""
        source = self.source if with_source else b""
        items = b"\n".join(self.texts)
        head = wire.HEAD.pack(self.kind, wire.CAREFUL if self.careful else 0, self.digest, round(self.seconds * 1000),
                              len(source), len(items))
        return head + source + items


@dataclass(slots=True)
class Worker:
    """One process. `knows` are the digests of the sources that it was given."""

    process: subprocess.Popen[bytes]
    ready: bool = False
    knows: set[bytes] = field(default_factory=set)

    def ask(self, request: Request) -> tuple[list[str], bool]:
        """The answers in order, as many as came, and whether the worker lives on."""
        answers, alive = self._exchange(request, with_source=request.digest not in self.knows)
        if answers[:1] == [wire.UNKNOWN_SOURCE]:
            answers, alive = self._exchange(request, with_source=True)
        self.knows.add(request.digest)
        broken = bool(answers) and answers[-1][0] in wire.BREACHES
        return answers, alive and not broken

    def _exchange(self, request: Request, *, with_source: bool) -> tuple[list[str], bool]:
        self._wait_until_ready()
        if not self._write(request.encoded(with_source=with_source)):
            return [], False
        silence = 3 * request.seconds + GRACE_SECONDS  # a call may be tried in two contexts and make a third ready
        return self._answers(request, silence)

    def _wait_until_ready(self) -> None:
        if not self.ready:
            self.ready = self._read(START_SECONDS) == wire.READY
        if not self.ready:
            raise _cannot_start("it ended at once")

    def _write(self, request: bytes) -> bool:
        pipe = _open(self.process.stdin)
        rest, poll = memoryview(request), select.poll()
        poll.register(pipe, select.POLLOUT)
        try:
            while rest:
                if not poll.poll(WRITE_SECONDS * 1000):
                    return False
                rest = rest[os.write(pipe, rest):]
        except BrokenPipeError:
            return False
        return True

    def _read(self, seconds: float) -> bytes:
        """What is there, waiting up to `seconds` for it; nothing at the end or when nothing came."""
        pipe, poll = _open(self.process.stdout), select.poll()
        poll.register(pipe, select.POLLIN)
        return os.read(pipe, 1 << 16) if poll.poll(seconds * 1000) else b""

    def _answers(self, request: Request, silence: float) -> tuple[list[str], bool]:
        answers: list[str] = []
        held = bytearray()
        while len(answers) < len(request.texts):
            part = self._read(silence)
            held += part
            come: list[str] = []
            del held[:_split(held, come)]
            if not part or len(held) > MAX_ANSWER:
                return answers, False
            if come[:1] == [wire.UNKNOWN_SOURCE]:
                return come, True
            request.heard(come)
            answers += come
            if come and come[-1][0] in wire.BREACHES:
                break
        return answers, True

    def bury(self) -> str:
        """End it after it broke; the letter that says what of: time, unless it died of something else."""
        try:
            code = self.process.wait(0.05)
        except subprocess.TimeoutExpired:  # silent for too long
            code = -signal.SIGALRM
        self.end()
        return wire.TIME if -code in (signal.SIGALRM, signal.SIGPROF, signal.SIGXCPU) else wire.DIED

    def end(self) -> None:
        """Stop it at once and leave nothing of it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def _cannot_start(reason: str) -> SandboxDown:
    return SandboxDown("No process can be started in which scripts run ({reason}).", reason=reason)


def _open(pipe: object) -> int:
    try:
        return int(pipe.fileno())  # type: ignore[attr-defined]
    except ValueError as error:
        raise SandboxDown("The scripts' processes have been stopped.") from error


def _split(held: bytearray, answers: list[str]) -> int:
    at = 0
    while len(held) >= at + wire.LENGTH.size:
        (length,) = wire.LENGTH.unpack_from(held, at)
        end = at + wire.LENGTH.size + length
        if len(held) < end:
            break
        answers.append(held[at + wire.LENGTH.size:end].decode(errors="replace"))
        at = end
    return at


def start(limits: dict[str, float]) -> Worker:
    """A new worker, which need not be ready yet; raises SandboxDown."""
    engine = importlib.util.find_spec("_quickjs")
    if engine is None or engine.origin is None or os.name != "posix":
        raise _cannot_start("quickjs-ng is missing")
    command = [sys.executable, "-I", "-S", "-c", _START, json.dumps(limits), str(_ROOT), str(Path(engine.origin).parent)]
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
                                   cwd="/", env={"LC_ALL": "C.UTF-8"}, close_fds=True, start_new_session=True)
    except OSError as error:
        raise _cannot_start(error.strerror or "OSError") from error
    os.set_blocking(process.stdin.fileno(), False)  # type: ignore[union-attr]
    return Worker(process)


class Pool:
    """At most `size` workers at work at a time, owners in turn, and one more ready to take a dead one's place."""

    def __init__(self, size: int, limits: dict[str, float]) -> None:
        self._limits, self._turns = limits, Turns(size)
        self._change = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: list[Worker] = []
        self._spare: Worker | None = None
        self._closed = False

    def processes(self) -> tuple[int, ...]:
        """The ids of all processes."""
        with self._change:
            return tuple(worker.process.pid for worker in self._every())

    @contextmanager
    def lease(self, digest: bytes, owner: str = "") -> Iterator["Lease"]:
        """The right to one worker; raises SandboxDown."""
        self._turns.enter(owner)
        lease = Lease(self, digest)
        try:
            yield lease
        except BaseException:
            lease.drop()
            raise
        finally:
            try:
                lease.give_back()
            finally:
                self._turns.leave()

    def take(self, digest: bytes) -> Worker:
        """A worker that knows the script, or any, or a new one."""
        with self._change:
            if self._closed:
                raise SandboxDown("The scripts' processes have been stopped.")
            for dead in [worker for worker in self._idle if worker.process.poll() is not None]:
                self._idle.remove(dead)
                dead.end()
            known = next((worker for worker in self._idle if digest in worker.knows), None)
            if known is not None:
                self._idle.remove(known)
            worker = known or (self._idle.pop() if self._idle else self._new())
            self._busy.append(worker)
            return worker

    def _new(self) -> Worker:
        spare, self._spare = self._spare, None
        if spare is not None and spare.process.poll() is not None:
            spare.end()
            spare = None
        worker = spare or start(self._limits)
        self._spare = start(self._limits)
        return worker

    def give_back(self, worker: Worker) -> None:
        """After its work."""
        with self._change:
            self._busy.remove(worker)
            if not self._closed:
                self._idle.append(worker)
                return
        worker.end()

    def lose(self, worker: Worker) -> str:
        """It is broken; a letter says what of."""
        with self._change:
            self._busy.remove(worker)
        return worker.bury()

    def _every(self) -> list[Worker]:
        return [*self._idle, *self._busy, *([self._spare] if self._spare else [])]

    def close(self) -> None:
        """End all processes; whoever waits for one is told."""
        with self._change:
            self._closed = True
            ended, self._idle, self._spare = [*self._idle, *([self._spare] if self._spare else [])], [], None
            for worker in self._busy:
                worker.process.kill()
        self._turns.close()
        for worker in ended:
            worker.end()


class Lease:
    """One worker after another, as they break."""

    def __init__(self, pool: Pool, digest: bytes) -> None:
        self._pool, self._digest = pool, digest
        self._worker: Worker | None = None
        self.lost = ""  # the letter of what the last worker broke of

    def ask(self, request: Request) -> list[str]:
        """The answers that came; fewer than were asked for when the worker died."""
        if self._worker is None:
            self._worker = self._pool.take(self._digest)
        answers, alive = self._worker.ask(request)
        if not alive:
            self.drop()
        return answers

    def drop(self) -> None:
        """The worker is broken."""
        worker, self._worker = self._worker, None
        if worker is not None:
            self.lost = self._pool.lose(worker)

    def give_back(self) -> None:
        """The worker is free again."""
        worker, self._worker = self._worker, None
        if worker is not None:
            self._pool.give_back(worker)
