"""`stadtfunk codec import` and `stadtfunk codec test`."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from city.errors import NotFound
from city.ids import TenantId
from city.places import Site, Tenant
from city.scripts import Script
from city.store.opening import open_store
from decoders.__main__ import main
from decoders.examples import Report, run
from decoders.importing import keep
from decoders.javascript import Sandbox
from decoders.repository import read

HERE = Path(__file__).parent / "devices_repository"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


class Town:
    """What `keep` needs of a town."""

    tenant = Tenant(TenantId("arnsberg"), "Arnsberg", Site(51.4, 8.1))

    def __init__(self) -> None:
        self.saved: dict[str, Script] = {}
        self.lines: list[object] = []

    def script(self, model: str) -> Script:
        if model not in self.saved:
            raise NotFound("There is no codec “{model}”.", model=model)
        return self.saved[model]

    def put_script(self, script: Script) -> None:
        self.saved[script.model] = script

    def audit(self, line: object) -> None:
        self.lines.append(line)


def call(*words: str) -> tuple[int, str]:
    console = Console(file=io.StringIO(), width=150)
    code = main([str(word) for word in words], console)
    return code, console.file.getvalue()


def reports(name: str, sandbox: Sandbox) -> dict[str, Report]:
    return {one.name.partition("/")[2].removesuffix("-codec"): run(one, sandbox) for one in read(HERE / name)}


@pytest.mark.parametrize(("name", "codecs", "examples"), [("things", 18, 33), ("chirpstack", 16, 28)])
def test_every_example_of_both_layouts_passes(sandbox, name, codecs, examples):
    done = reports(name, sandbox)
    bad = {key: report.broken or [one.why for one in report.outcomes if one.why] for key, report in done.items()
           if not report.good}
    assert bad == {}
    assert (len(done), sum(report.passed for report in done.values())) == (codecs, examples)


def test_the_table_shows_what_went_how(tmp_path):
    code, said = call("import", HERE / "things", "--json", tmp_path / "out.json")
    assert code == 0, said
    assert "18 codecs: 17 good, 0 bad, 1 without examples" in said
    written = {one["codec"]: one for one in json.loads((tmp_path / "out.json").read_text())}
    assert written["lichtwerk/dimmer-one-codec"] == {
        "codec": "lichtwerk/dimmer-one-codec", "devices": ["lichtwerk/dimmer-one"], "examples": 6, "passed": 6, "failed": 0,
        "errors": 0, "broken": "", "problems": [], "failures": []}


def test_failures_are_counted_told_and_end_in_1(sandbox):
    done = reports("failing/things", sandbox)
    assert {name: (one.passed, one.failed, one.errors) for name, one in done.items()} == {
        "wrong": (1, 1, 0), "throws": (0, 0, 1), "syntax": (0, 0, 1), "silent": (0, 1, 0), "bytes": (1, 0, 1),
        "escapes": (0, 0, 1), "bomb": (0, 0, 1)}
    code, said = call("import", HERE / "failing" / "things")
    assert code == 1
    assert "says {'level': 41} instead of {'level': 40}" in said
    assert "7 codecs: 0 good, 7 bad, 0 without examples" in said


def test_scripts_that_break_limits_are_stopped_and_their_neighbours_run(sandbox):
    done = reports("limits", sandbox)
    assert {name: (one.passed, one.failed, one.errors) for name, one in done.items()} == {
        "endless": (0, 0, 1), "greedy": (0, 0, 1), "deep": (0, 0, 1), "huge": (0, 0, 1), "modest": (1, 0, 0)}


def test_what_passes_is_kept_with_a_mapping(sandbox):
    town = Town()
    outcomes = dict(keep(town, [*reports("things", sandbox).values(), *reports("chirpstack", sandbox).values()], None))
    assert outcomes["lichtwerk/dimmer-one"] == "kept as a lamp: 3 of 3 values mapped, 0 dropped"
    dimmer, tagged = town.saved["lichtwerk/dimmer-one"], town.saved["parkfein/tagged"]
    assert (dimmer.device_class, dimmer.vendor, dimmer.changed_by) == ("C", "Lichtwerk", "command line")
    assert [(rule.leaf, rule.quantity, rule.scale) for rule in dimmer.mapping.rules] == [
        ("dim_level", "lamp.level", 1), ("power_w", "lamp.power", 1), ("energy_kwh", "lamp.energy", 1000)]
    assert (tagged.asset, tagged.mapping.dropped) == ("bay", ("tag_id",))
    assert town.saved["parkfein/normalized"].normalized, "only what normalizeUplink makes of it shows what it is"
    assert outcomes["wetterhahn/tlv"].startswith("not kept: it looks neither like a lamp nor like a parking sensor")
    assert outcomes["wetterhahn/untested"] == "not kept: it has no examples"
    assert len(town.saved) == len(town.lines) == sum(text.startswith("kept") for text in outcomes.values())


def test_what_the_town_has_already_is_not_overwritten(sandbox):
    town, done = Town(), [run(one, sandbox) for one in read(HERE / "things", ["parkfein/words"])]
    assert dict(keep(town, done, None))["parkfein/words"].startswith("kept as a bay")
    assert dict(keep(town, done, "lamp")) == {"parkfein/words": "not kept: the town has a codec for it already"}


def test_what_fails_is_not_kept(sandbox):
    town = Town()
    outcomes = dict(keep(town, list(reports("failing/things", sandbox).values()), "lamp"))
    assert set(outcomes.values()) == {"not kept: not all of its examples pass"}
    assert not town.saved


def test_a_script_is_tried_with_a_frame_and_an_order():
    script = HERE / "things/vendor/lichtwerk/dimmer-one.js"
    code, said = call("test", script, "--port", "10", "--hex", "28 009b 003039", "--down", '{"level": 50, "minutes": 60}')
    assert code == 0, said
    assert "decodeUplink" in said
    assert "lamp.energy" in said
    assert "× 1000" in said
    assert "FPort 20: 0132003c (4 bytes)" in said


def test_a_script_is_tried_on_a_file_of_examples():
    here = HERE / "failing/things/vendor/pfusch"
    code, said = call("test", here / "wrong.js", "--examples", here / "wrong-codec.yaml")
    assert code == 1
    assert "instead of" in said


@pytest.mark.parametrize(("words", "code"), [
    (["--port", "3", "--hex", "00"], 1), (["--hex", "0"], 2), (["--down", "[]"], 2), (["--down", "{"], 2), (["--down", "{}"], 1)])
def test_what_cannot_be_tried_says_so(words, code):
    answer, said = call("test", HERE / "things/vendor/lichtwerk/dimmer-one.js", *words)
    assert answer == code
    assert said.count("\n") >= 2


def test_a_script_that_is_not_there():
    assert call("test", HERE / "nothing.js")[0] == 1


def test_a_town_that_is_not_there_is_told_before_anything_runs(monkeypatch):
    monkeypatch.setenv("STADTFUNK_DATABASE_URL", "sqlite://")
    code, said = call("import", HERE / "things", "--town", "nowhere")
    assert code == 1
    assert "nowhere" in said
    assert "examples" not in said


def test_what_a_town_gets_is_shown(monkeypatch, tmp_path):
    url = f"sqlite:///{tmp_path}/town.db"
    monkeypatch.setenv("STADTFUNK_DATABASE_URL", url)
    store = open_store(url)
    store.put_tenant(Town.tenant)
    code, said = call("import", HERE / "chirpstack", "--only", "bordstein/bs-beacon", "--town", "arnsberg")
    (script,) = store.tenant(Town.tenant.id).scripts()
    store.close()
    assert code == 0
    assert "kept as a bay: 1 of 3 values mapped, 2 dropped" in said
    assert (script.model, script.mapping.dropped) == ("bordstein/bs-beacon", ("beacons.0.mac", "beacons.0.rssi"))


def test_half_a_character_can_be_written_into_the_results(tmp_path):
    codecs = tmp_path / "vendors" / "acme" / "codecs"
    codecs.mkdir(parents=True)
    (codecs / "x.js").write_text("function decodeUplink() { return {data: {a: 1}}; }")
    (codecs / "test_decode_x.json").write_text('[{"input": {"bytes": [1]}, "expected": {"data": {"a": "\\ud800"}}}]')
    assert call("import", str(tmp_path), "--json", str(tmp_path / "out.json"))[0] == 1
    assert "instead of" in (tmp_path / "out.json").read_text("utf-8")
