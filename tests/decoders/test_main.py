"""What a newcomer types: list, new, check, explain."""

import io
import re

import pytest
from rich.console import Console

from decoders.__main__ import main
from decoders.catalog import catalog

STATUS = ["01F37F205E824432091620", "07", "01D20294550401FE50190012501900"]
NAS = ["--model", "nas/ul20xx"]


def call(*argv):
    out = io.StringIO()
    code = main(argv, Console(file=out, width=120))
    return code, out.getvalue()


def row(out, *cells):
    """Whether a row of the table holds these cells, one after the other."""
    return re.search(r"│\s*" + r"\s*│\s*".join(map(re.escape, cells)) + r"\s*│", out)


def test_explain_shows_each_field_with_offset_hex_value_and_meaning():
    code, out = call("explain", *STATUS, "--port", "23", *NAS)
    assert code == 0
    assert row(out, "1–4", "f3 7f 20 5e", "clock", "1579188211", "2020-01-16 15:23:31+00:00")
    assert row(out, "15–16", "94 55", "illuminance", "21908", "299.9 lx")
    assert row(out, "24", "50", "reason", "80", "dusk-0")
    assert row(out, "lamp.level", "dali-9", "25", "%")


def test_explain_takes_hex_in_one_piece_in_several_and_with_spaces():
    whole = call("explain", "".join(STATUS), "--port", "23", *NAS)
    assert whole == call("explain", *STATUS, "--port", "23", *NAS)
    assert whole == call("explain", " ".join(STATUS), "--port", "23", *NAS)


def test_explain_shows_where_a_frame_breaks_off():
    code, out = call("explain", STATUS[0][:20], "--port", "23", *NAS)
    assert code == 1
    assert row(out, "9", "16", "temperature", "22", "22 °C")
    assert "Truncated: The frame ends too early: “alerts of 24 h” at byte 10" in out
    assert "Traceback" not in out


@pytest.mark.parametrize("argv", [("01", "--port", "23", "--model", "no/such"), ("01", "--port", "77", *NAS)])
def test_explain_says_in_one_sentence_what_is_unknown(argv):
    code, out = call("explain", *argv)
    assert code == 1
    assert "Traceback" not in out
    assert "no/such" in out or "FPort 77" in out


def test_explain_refuses_what_is_no_hex():
    code, out = call("explain", "0g", "--port", "23", *NAS)
    assert (code, "“0g” is no hex" in out) == (2, True)


def test_explain_reads_downlinks_and_hides_keys():
    code, out = call("explain", "52014433221182840C7056429B143D21974557F93A5382840C70C08494B931FE2FA6F8835C6A",
                     "--port", "50", "--down", *NAS)
    assert code == 0
    assert row(out, "2–5", "44 33 22 11", "DevAddr", "", "11223344")
    assert "82 84 0c" not in out.lower()
    assert "82840c" not in out.lower()


def test_explain_shows_all_parts_of_a_downlink_that_is_not_one_order():
    code, out = call("explain", "0104320864", "--port", "60", "--down", *NAS)
    assert code == 1
    assert row(out, "1", "04", "address", "4", "dali-2")
    assert row(out, "4", "64", "level", "100", "100 %")


def test_list_names_every_model_with_its_vectors():
    code, out = call("list")
    assert code == 0
    assert "nas/ul20xx" in out
    assert "bosch/tps110" in out


def test_check_passes_for_all_models():
    code, out = call("check")
    assert (code, out.count("✓")) == (0, len(catalog()))


def test_a_newcomers_path(tmp_path):
    """docs/adding-a-device.md: begin, check, change, see it fail, explain."""
    where = ["--devices", str(tmp_path)]
    assert call("new", "acme/sl-100", *where)[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["acme_sl100.py", "acme_sl100.toml"]
    assert call("check", "acme/sl-100", *where)[0] == 0
    told = tmp_path / "acme_sl100.toml"
    told.write_text(told.read_text(encoding="utf-8").replace("31.5 }", "315 }"), encoding="utf-8")
    code, out = call("check", "acme/sl-100", *where)
    assert code == 1
    assert "lamp.power: 31.5 instead of 315" in out
    code, out = call("explain", "28", "013b", "--port", "1", "--model", "acme/sl-100", *where)
    assert code == 0
    assert row(out, "1–2", "01 3b", "power", "315", "31.5 W")


def test_new_overwrites_nothing_and_refuses_other_names(tmp_path):
    where = ["--devices", str(tmp_path)]
    assert call("new", "acme/sl-100", *where)[0] == 0
    assert call("new", "acme/sl-100", *where)[0] == 2
    assert call("new", "../etc/passwd", *where)[0] == 2
    assert call("new", "Acme", *where)[0] == 2


def test_check_of_a_model_without_vectors_fails(tmp_path):
    call("new", "acme/sl-100", "--devices", str(tmp_path))
    (tmp_path / "acme_sl100.toml").unlink()
    assert call("check", "acme/sl-100", "--devices", str(tmp_path))[0] == 1


def test_explain_finds_model_and_port_of_a_downlink_by_itself():
    code, out = call("explain", "--down", "09FE6405")
    assert code == 0
    assert "nas/ul20xx" in out
    assert "minutes=5" in out


def test_explain_without_a_port_tries_every_port_of_the_model():
    code, out = call("explain", *STATUS, *NAS)
    assert (code, "FPort 23" in out) == (0, True)


def test_explain_says_that_nobody_reads_a_frame():
    code, out = call("explain", "--down", "fd" * 60, *NAS)
    assert (code, "None of the models" in out) == (1, True)
