"""Every command of docs/simulator.md is run as it stands there, in its order, against a real broker."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:<!-- (in the background)(?:, until: (\w+))? -->\n)?```sh\n(.*?)```", re.DOTALL)
BLOCKS = [(bool(found[1]), found[2] or "", found[3]) for found in BLOCK.finditer(TUTORIAL)]
PATIENCE_S = 60.0
LOGS = re.compile(r"2> (\S+)")


class Shell:
    """A directory, ports of its own, and what still runs in the background."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._ports = {port: str(free_port()) for port in ("1883", "8090", "8091")}
        self._running: list[subprocess.Popen[str]] = []
        bin_directories = [str(Path(sys.executable).parent), "/usr/sbin", "/usr/local/sbin", os.environ["PATH"]]
        self._environment = os.environ | {"PATH": os.pathsep.join(bin_directories), "COLUMNS": "120"}

    def run(self, commands: str) -> str:
        """What they say on both streams; they must succeed."""
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", self._here(commands)], cwd=self.directory, env=self._environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 0, f"{commands}\n{done.stdout}"
        return done.stdout

    def start(self, commands: str, until: str) -> None:
        """Leave it running; return when it listens, or when `until` stands in its log."""
        process = subprocess.Popen(["bash", "-c", f"exec {self._here(commands)}"], cwd=self.directory, env=self._environment,
                                   stdout=subprocess.DEVNULL, text=True, start_new_session=True)
        self._running.append(process)
        log = LOGS.search(commands)
        deadline = time.monotonic() + PATIENCE_S
        while until and log and until not in self._log(log[1]):
            assert process.poll() is None, self._log(log[1])
            assert time.monotonic() < deadline, "it does not begin"
            time.sleep(0.05)
        with contextlib.suppress(subprocess.TimeoutExpired):  # a moment, in which it must not fail
            assert process.wait(1.0) == 0, commands

    def stop(self) -> None:
        for process in reversed(self._running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)

    def _log(self, name: str) -> str:
        path = self.directory / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def _here(self, commands: str) -> str:
        for written, ours in self._ports.items():
            commands = commands.replace(f":{written}", f":{ours}").replace(f"-p {written}", f"-p {ours}")
        return commands.strip()


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What every block that ends has said, by its first words."""
    shell, told = Shell(tmp_path_factory.mktemp("tutorial")), {}
    try:
        for background, until, commands in BLOCKS:
            if background:
                shell.start(commands, until)
            else:
                told[commands] = shell.run(commands)
        yield told
    finally:
        shell.stop()


def of(said: dict[str, str], words: str) -> str:
    """What the one block with these words has said."""
    [found] = [text for commands, text in said.items() if words in commands]
    return found


@pytest.mark.wire
def test_the_commands_of_the_tutorial_do_what_it_says(said: dict[str, str]) -> None:
    assert re.search(r"verband\s+72\s+78000\s+22000", of(said, "scenarios"))
    assert '"topic":"application/' in of(said, "look.jsonl")
    assert "3 faults" in of(said, "check sturm.toml")
    assert "24 bays" in of(said, "check tal.toml")
    assert re.search(r"joined 60/60 .* faults \d", of(said, "check sturm.toml"))
    assert re.search(r"falsch\.toml cannot be used, line \d+: there is no circuit NO-99", of(said, "falsch.toml"))
    assert re.search(r'"kind":"weather","facts":\{"for":"10 min","loss":"0\.2"\}', of(said, "only-for-this-tour"))
    assert re.search(r"(\d{2,}) messages in sturm\.jsonl\n.*\1 messages to mqtt://", of(said, "replay"), re.DOTALL)


@pytest.mark.wire
def test_provisioning_again_changes_nothing(said: dict[str, str]) -> None:
    first, second = of(said, "provision").split("Probe: tenant")[-2:]
    assert "devices: 60 created" in first
    assert "devices: 60 right already" in second
    assert "created" not in second
    assert "changed" not in second


def test_a_tutorial_has_commands_of_every_kind() -> None:
    commands = " ".join(text for _, _, text in BLOCKS)
    for name in ("scenarios", "check", "record", "replay", "provision", "drive"):
        assert re.search(rf"stadtfunk simulate {name}\s", commands), name
    assert TUTORIAL.count("```sh") == len(BLOCKS)
