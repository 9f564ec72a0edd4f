"""Device repositories in both layouts: what is read of them, and what is refused."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.errors import Invalid
from decoders.checkout import MAX_FILE, Checkout, UnreadableFileError
from decoders.codec import Frame
from decoders.examples import same
from decoders.repository import examples_in, model_of, read

HERE = Path(__file__).parent / "devices_repository"


def test_the_things_networks_layout_is_read():
    found = {one.name: one for one in read(HERE / "things")}
    assert len(found) == 18
    dimmer = found["lichtwerk/dimmer-one-codec"]
    assert dimmer.vendor == "Lichtwerk"
    assert [(one.model, one.title, one.device_class) for one in dimmer.devices] == [("lichtwerk/dimmer-one", "Dimmer One", "C")]
    assert [one.way for one in dimmer.examples] == ["up", "up", "up", "down", "down", "down back"]
    assert dimmer.examples[0].frame == Frame(10, bytes([40, 0, 155, 0, 48, 57]))
    assert not any(one.problems for one in found.values())


def test_chirpstacks_layout_is_read():
    found = {one.name: one for one in read(HERE / "chirpstack")}
    assert len(found) == 16
    one = found["leuchtfeuer/lf-100"]
    assert (one.vendor, [device.device_class for device in one.devices]) == ("Leuchtfeuer", ["C"])
    assert [example.way for example in one.examples] == ["up", "down"]
    assert len(found["leuchtfeuer/lf-hex"].examples) == 2, "examples written as JavaScript are read too"
    assert not any(one.problems for one in found.values())


def test_both_layouts_may_stand_in_one_directory(tmp_path):
    (tmp_path / "vendor").symlink_to(HERE / "things" / "vendor")
    assert list(read(tmp_path)) == [], "a link that leads out is not followed"


def test_only_some_are_read():
    def names(*only: str) -> set[str]:
        return {one.name for one in read(HERE / "things", only)}
    assert names("parkfein") == {f"parkfein/{name}-codec" for name in ("bay-one", "words", "normalized", "tagged", "eight")}
    assert names("parkfein/bay-one", "wetterhahn/tlv-codec") == {"parkfein/bay-one-codec", "wetterhahn/tlv-codec"}
    assert names("nobody") == set()


def test_a_directory_of_neither_layout_is_refused(tmp_path):
    with pytest.raises(Invalid):
        list(read(tmp_path))


def test_a_normalized_output_is_an_example_of_its_own():
    (one,) = read(HERE / "things", ["parkfein/normalized"])
    assert [example.way for example in one.examples] == ["up", "normal"]


def test_two_files_become_one_script():
    (one,) = read(HERE / "things", ["lichtwerk/split"])
    assert one.source.count("function helper") == 2
    assert "var decodeUplink" in one.source


def test_what_cannot_be_read_is_named():
    problems = {one.name: one.problems for one in read(HERE / "failing" / "things") if one.problems}
    assert problems.keys() == {"pfusch/bytes-codec", "pfusch/escapes-codec", "pfusch/bomb-codec"}
    assert "lies outside" in problems["pfusch/escapes-codec"][0]
    assert "aliases" in problems["pfusch/bomb-codec"][0]


@pytest.mark.parametrize("name", ["../x.yaml", "/etc/passwd", "link.yaml", "a\0b", "x" * 600, "fifo", "."])
def test_no_file_outside_is_read(tmp_path, name):
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "x.yaml").write_text("a: 1")
    (inside / "link.yaml").symlink_to(tmp_path / "x.yaml")
    os.mkfifo(inside / "fifo")
    with pytest.raises(UnreadableFileError):
        Checkout(inside).text(name)


@pytest.mark.parametrize("text", ["a: " + "x" * MAX_FILE, "[" * 40 + "]" * 40, "a: &a [1]\nb: *a", "- 1\n" * 210_000,
                                  "a: !!python/name:os.system x", "a: [1", "\ta: 1"])
def test_hostile_yaml_is_refused(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UnreadableFileError):
        Checkout(tmp_path).yaml("x.yaml")


def test_yaml_is_that_of_version_1_2(tmp_path):
    (tmp_path / "x.yaml").write_text("[on, yes, N, 010, 0x1f, 12:30:00, 2024-01-01, ~, true, 1.5e3, -7, '1', .5]")
    assert Checkout(tmp_path).yaml("x.yaml") == [
        "on", "yes", "N", 10, 31, "12:30:00", "2024-01-01", None, True, 1500.0, -7, "1", 0.5]


@pytest.mark.parametrize("text", [
    "[" * 100_000, "{", "[new Date()]", "/*" * 200_000, '"a" ' * 100_000 + '"', "a" * 500_000, "'\\" * 200_000,
    "[0x" + "f" * 9000 + "]", "," * 300_000, "[1" + " ," * 200_000], ids=range(10))
def test_hostile_json_is_refused(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UnreadableFileError):
        Checkout(tmp_path).json("x.json")


@pytest.mark.parametrize("text", ['{"x":' * 40 + "1" + "}" * 40, "[" * 900 + "]" * 900])
def test_json_that_nests_deeply_is_refused(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UnreadableFileError, match="nests too deeply"):
        Checkout(tmp_path).json("x.json")


def test_links_that_lead_to_themselves_are_named(tmp_path):
    codecs = tmp_path / "vendors" / "acme" / "codecs"
    codecs.mkdir(parents=True)
    (codecs / "loop.js").symlink_to(codecs / "loop.js")
    (codecs / "good.js").write_text("function decodeUplink() { return {data: {}}; }")
    (codecs.parent / "devices").symlink_to(codecs.parent / "devices")
    found = {one.name: one for one in read(tmp_path)}
    assert "leads to itself" in found["acme/loop"].problems[0]
    assert found["acme/good"].source
    assert any("cannot be listed" in problem for problem in found["acme/vendor"].problems)


def test_names_of_files_do_not_act_on_the_terminal(tmp_path):
    codecs = tmp_path / "vendors" / "acme" / "codecs"
    codecs.mkdir(parents=True)
    (codecs / "x\x1b[31m\x9b.js").write_text("")
    assert [one.name for one in read(tmp_path) if one.name != "acme/vendor"] == ["acme/x�[31m�"]


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "x.js").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnreadableFileError):
        Checkout(tmp_path).text("x.js")


@pytest.mark.parametrize(("vendor", "device", "model"), [
    ("The Vendor", "A_b.C", "the-vendor/a-b-c"), ("", "///", "unnamed/unnamed"), ("v" * 60, "d" * 90, f"{'v' * 40}/{'d' * 60}")])
def test_any_id_becomes_the_name_of_a_model(vendor, device, model):
    assert model_of(vendor, device) == model


def test_a_file_of_examples_is_read_alone():
    examples, problems = examples_in(HERE / "chirpstack/vendors/leuchtfeuer/codecs/test_encode_lf-100.json")
    assert ([(one.way, one.data) for one in examples], problems) == ([("down", {"level": 50})], ())
    examples, problems = examples_in(HERE / "things/vendor/lichtwerk/warner-codec.yaml")
    assert (len(examples), problems) == (2, ())
    assert examples_in(HERE / "nothing.json")[1]


@pytest.mark.parametrize(("expected", "actual"), [
    (1, 1.0), (0.3, 0.1 + 0.2), ({"a": 1, "b": None}, {"a": 1}), ([1, {"x": "y"}], [1, {"x": "y"}]), (None, None),
    ({"b": 1, "a": 2}, {"a": 2, "b": 1}), (1e308, 1e308), (float("1e400"), float("1e400"))])
def test_alike(expected, actual):
    assert same(expected, actual)


@pytest.mark.parametrize(("expected", "actual"), [
    (1, True), (0, False), (1, "1"), (1, 1.001), ({"a": 1}, {"a": 1, "b": 2}), ([1, 2], [2, 1]), ([1], [1, 2]),
    ({}, []), (0, None)])
def test_not_alike(expected, actual):
    assert not same(expected, actual)


WORDS = ["endDevices", "vendors", "id", "name", "firmwareVersions", "profiles", "codec", "vendorID", "uplinkDecoder", "fileName",
         "examples", "input", "output", "normalizedOutput", "fPort", "bytes", "data", "recvTime"]
THINGS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["x", "x.js", "../x", "1.0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4), max_leaves=20)


@settings(deadline=None)
@given(index=THINGS, about=THINGS, codec=THINGS)
def test_any_files_are_read_or_named(tmp_path_factory, index, about, codec):
    root = tmp_path_factory.mktemp("repository")
    home = root / "vendor" / "x"
    home.mkdir(parents=True)
    (home / "x.js").write_text("function decodeUplink() {}")
    profile = about if isinstance(about, dict) else {"codec": "c"}
    device = {"firmwareVersions": [{"profiles": {"EU863-870": profile}}], "name": about}
    for name, content in (("index", {"endDevices": ["d", index]}), ("d", device), ("c", codec)):
        (home / f"{name}.yaml").write_text(json.dumps(content))
    (root / "vendor" / "index.yaml").write_text(json.dumps(index))
    for found in read(root):
        assert all(isinstance(one.frame.data, bytes) for one in found.examples)
        assert found.name.isprintable()
