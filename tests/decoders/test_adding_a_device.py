"""docs/adding-a-device.md is true: its commands run, and what it shows is what they print."""

import io
import re
import shlex
from pathlib import Path

from rich.console import Console

from decoders import template
from decoders.__main__ import main

PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-device.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_every_command_of_the_page_runs_in_its_order(tmp_path):
    commands = [shlex.split(line) for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) == 6
    out = io.StringIO()
    for command in commands:
        assert command[:3] == ["python", "-m", "decoders"]
        mine = ["--devices", str(tmp_path)] if "acme/sl-100" in command else []
        assert main([*command[3:], *mine], Console(file=out, width=120)) == 0, command
    (shown,) = blocks("text")
    assert [line.strip() for line in shown.splitlines() if line[:1] in "│┃"] == [
        line.strip() for line in out.getvalue().splitlines()
        if re.match(r"[│┃]\s+(byte|0|1–2)\s+[│┃]", line)]


def test_the_page_shows_the_files_that_new_writes():
    (vectors,) = blocks("toml")
    assert vectors.partition("\n\n")[2] == template.VECTORS.replace("{{", "{").replace("}}", "}").partition("\n\n")[2]
    (codec,) = blocks("python")
    assert codec in template.CODEC.replace("{{", "{").replace("}}", "}")
