"""This machine: the log's disk, the clock, limits. Probes with their judges."""

import os
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from secrets import token_hex

from gateway_bridge.doctor.findings import Finding, broken, ok, unknown, warning

SYNCS, SYNC_BYTES, SYNCS_S = 50, 4096, 10.0
SLOW_SYNC_S = 0.02
LOW_BYTES, LITTLE_BYTES = 500 * 2**20, 2 * 2**30
FEW_INODES = 10_000
FEW_DESCRIPTORS = 1024
IN_MEMORY, OVER_NETWORK = ("tmpfs", "ramfs"), ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs")
SYNCED = (Path("/run/systemd/timesync/synchronized"), Path("/run/chrony/chronyd.pid"), Path("/var/run/ntpd.pid"))


@dataclass(frozen=True, slots=True)
class Disk:
    """The directory of the log. `problem`: why nothing could be written there; `syncs_s`: each fsync's time, sorted."""

    path: str
    problem: str = ""
    kind: str = ""
    free: int = 0
    inodes: int | None = None
    syncs_s: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """`descriptors`: how many files a process may open, None unlimited; `synced`: whether a time service keeps the clock."""

    python: str
    packages: Sequence[tuple[str, str]]
    descriptors: int | None
    descriptors_known: bool
    synced: bool


def probe_disk(directory: Path) -> Disk:
    """Write and sync small blocks beside the log, and remove them again."""
    path = str(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        times = _syncs(directory / f"doctor-{token_hex(6)}.tmp")
        room = os.statvfs(directory)
    except OSError as error:
        return Disk(path, problem=error.strerror or str(error))
    return Disk(path, "", _kind(directory), room.f_bavail * room.f_frsize, room.f_favail if room.f_files else None,
                tuple(sorted(times)))


def probe_machine() -> Machine:
    """What runs here."""
    limit, known = _descriptors()
    return Machine(platform.python_version(), tuple(_versions("paho-mqtt", "influxdb-client", "sqlalchemy", "psycopg")),
                   limit, known, any(path.exists() for path in SYNCED))


def judge_disk(disk: Disk) -> Iterator[Finding]:
    """Whether the log can keep what it acknowledges."""
    if disk.problem:
        yield broken("log directory", f"The log cannot be written in {disk.path}: {disk.problem}. Nothing is acknowledged.",
                     f"chown and chmod 700 {disk.path} for the bridge's user (systemd: StateDirectory=, ReadWritePaths=), or "
                     "settings: log.directory")
        return
    yield _judge_kind(disk)
    yield _judge_room(disk)
    if disk.inodes is not None and disk.inodes < FEW_INODES:
        yield warning("inodes", f"Only {disk.inodes} more files can be made on the log's disk.",
                      f"df -i {disk.path}; remove many small files, or settings: log.directory on another disk")
    yield _judge_syncs(disk.syncs_s)


def judge_machine(machine: Machine) -> Iterator[Finding]:
    """Clock, limits, versions."""
    if machine.synced:
        yield ok("time service", "A time service keeps this machine's clock.")
    else:
        yield unknown("time service", "No sign of a time service on this machine (in a container it is the host's business).",
                      "timedatectl set-ntp true, or install chrony")
    if not machine.descriptors_known:
        yield unknown("descriptors", "The limit of open files cannot be read here.", "ulimit -n")
    elif machine.descriptors is not None and machine.descriptors < FEW_DESCRIPTORS:
        yield warning("descriptors", f"A process may open {machine.descriptors} files only.", "systemd unit: LimitNOFILE=65536")
    else:
        yield ok("descriptors", f"A process may open {machine.descriptors or 'any number of'} files.")
    said = ", ".join(f"{name} {number}" for name, number in machine.packages)
    yield ok("versions", f"Python {machine.python}, {said}.")


def _judge_kind(disk: Disk) -> Finding:
    mend = "settings: log.directory on a local disk (ext4, xfs, btrfs, zfs)"
    if disk.kind in IN_MEMORY:
        return broken("log's file system", f"The log lies in memory ({disk.kind}): a power cut loses what was acknowledged.",
                      mend)
    if disk.kind in OVER_NETWORK:
        return broken("log's file system", f"The log lies on a network file system ({disk.kind}), where SQLite's locks and "
                      "fsync cannot be trusted.", mend)
    return ok("log's file system", f"The log lies on {disk.kind or 'a file system that does not say its kind'}.")


def _judge_room(disk: Disk) -> Finding:
    mend = "settings: a smaller log.keep_days, or log.directory on a larger disk"
    free = f"{disk.free / 2**30:.1f} GB are free on the log's disk"
    if disk.free < LOW_BYTES:
        return broken("disk", f"Only {free}: once it is full nothing is acknowledged.", mend)
    return warning("disk", f"Only {free}.", mend) if disk.free < LITTLE_BYTES else ok("disk", f"{free}.")


def _judge_syncs(times: Sequence[float]) -> Finding:
    if not times:
        return unknown("fsync", "How long an fsync takes could not be measured.")
    half, most = times[len(times) // 2], times[min(len(times) * 99 // 100, len(times) - 1)]
    said = f"An fsync takes {half * 1000:.1f} ms, 99 of 100 at most {most * 1000:.1f} ms."
    if half > SLOW_SYNC_S or most > 5 * SLOW_SYNC_S:
        return warning("fsync", f"{said} Each batch of events waits for one.",
                       "settings: log.directory on an SSD; larger batches (bridge.batch, mqtt.receive_maximum) help until then")
    if half < 20e-6:
        return warning("fsync", f"{said} No disk is that fast: something on the way only says that it has written.",
                       "virtual machine: disk cache mode “none” or “writethrough”; the disk's write cache off or battery-backed")
    return ok("fsync", said)


def _syncs(file: Path) -> list[float]:
    block, times = b"\0" * SYNC_BYTES, list[float]()
    until = time.perf_counter() + SYNCS_S
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        while len(times) < SYNCS and (began := time.perf_counter()) < until:
            os.write(descriptor, block)
            os.fsync(descriptor)
            times.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        file.unlink()
    return times


def _kind(directory: Path) -> str:
    """The file system's kind, "" where the system does not tell."""
    try:
        rows = [line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return ""
    where = directory.resolve()
    found = [(len(row[1]), row[2]) for row in rows if len(row) > 2 and where.is_relative_to(row[1].replace("\\040", " "))]
    return max(found)[1] if found else ""


def _descriptors() -> tuple[int | None, bool]:
    try:
        lines = Path("/proc/self/limits").read_text(encoding="ascii").splitlines()
        soft = next(line for line in lines if line.startswith("Max open files")).split()[3]
    except (OSError, StopIteration, IndexError):
        return None, False
    return (int(soft) if soft.isdecimal() else None), True


def _versions(*names: str) -> Iterator[tuple[str, str]]:
    for name in names:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "not installed"
