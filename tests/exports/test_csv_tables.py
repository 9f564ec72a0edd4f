"""Tables as spreadsheets read them, in both variants, and what a hostile name cannot do there."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.alarms import AlarmKind
from city.commands import Priority, command
from city.exports.csv_tables import ALARMS, COMMANDS, FORMULA, LAMPS, OVERRIDES, ROWS_AT_ONCE, Cell, Column, Variant, table
from city.exports.seen import LampSeen
from city.ids import AssetId, DevEui
from city.orders import MulticastGroup
from tests.exports.town import NOW, TOWN, alarm, lamp, seen, wish

IT: tuple[Column[Cell], ...] = (Column("value", "Wert", lambda cell: cell), Column("fixed", "fest", lambda _: "x"))


def text(rows: Sequence[Cell], variant: Variant) -> str:
    return b"".join(table(IT, rows, variant)).decode()


def read(said: str, variant: Variant) -> list[list[str]]:
    """As a spreadsheet does, without the line of names."""
    lines = io.StringIO(said.removeprefix("\ufeff"), newline="")
    return list(csv.reader(lines, delimiter=";" if variant == "de" else ","))[1:]


def lamps(*some: LampSeen) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(table(LAMPS, some, "rfc")).decode())))


def test_lines_end_as_rfc_4180_says() -> None:
    assert text(["a", 'say "b", c', "two\nlines", None], "rfc") == (
        'value,fixed\r\na,x\r\n"say ""b"", c",x\r\n"two\nlines",x\r\n,x\r\n')


def test_the_german_variant_opens_by_itself() -> None:
    at = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    assert text([1.5, at, True, "a;b"], "de") == '\ufeffWert;fest\r\n1,5;x\r\n02.07.2026 00:30:00;x\r\nja;x\r\n"a;b";x\r\n'
    assert text([1.5, at, False], "rfc") == "value,fixed\r\n1.5,x\r\n2026-07-01T22:30:00Z,x\r\nfalse,x\r\n"


def test_negative_numbers_stay_numbers() -> None:
    assert text([-1.5, -2], "rfc").splitlines()[1:] == ["-1.5,x", "-2,x"]


@pytest.mark.parametrize("name", ["=1+1", "+49 171", "-x", "@SUM(A1)", "\t=1", "\r=1", "＝1", '=HYPERLINK("http://x")'])
@pytest.mark.parametrize("variant", ["rfc", "de"])
def test_no_text_becomes_a_formula(name: str, variant: Variant) -> None:
    [row] = read(text([name], variant), variant)
    assert row[0] == f"'{name}"


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=30), max_size=20), st.sampled_from(["rfc", "de"]))
def test_every_text_comes_back_and_none_starts_a_formula(names: list[str], variant: Variant) -> None:
    rows = read(text(names, variant), variant)
    kept = [row[0].removeprefix("'") if name.startswith(FORMULA) else row[0] for row, name in zip(rows, names, strict=True)]
    assert kept == names
    assert not any(row[0].startswith(FORMULA) for row in rows)


def test_thousands_of_lamps_are_sent_in_pieces() -> None:
    one = seen(level=50.0, power=18.0)
    pieces = list(table(LAMPS, (one for _ in range(4_000)), "rfc"))
    assert len(pieces) == 1 + 4_000 / ROWS_AT_ONCE
    assert max(map(len, pieces)) < 200_000


def test_a_lamps_row_has_its_three_states_with_their_times() -> None:
    [row] = lamps(seen(level=60.0, power=18.0, reason="manual"))
    assert (row["target_level"], row["target_since"]) == ("50", "2026-11-22T20:30:00Z")
    assert (row["level_in_effect"], row["level_at"]) == ("60", "2026-11-22T21:25:00Z")
    assert (row["actual_level"], row["power_w"], row["actual_at"]) == ("52.7", "18", "2026-11-22T21:25:00Z")


def test_a_lamp_that_nobody_has_heard_has_empty_cells() -> None:
    [row] = lamps(seen(place=lamp(1, power_w=None, circuit=None)))
    assert row["level_in_effect"] == row["power_w"] == row["circuit"] == ""


def test_commands_show_no_keys() -> None:
    secret = "0123456789abcdef" * 2
    keys = MulticastGroup(1, "01020304", secret, secret)
    order = command(tenant=TOWN, device=DevEui("0" * 16), asset=AssetId("L1"), order=keys, origin="config",
                    priority=Priority.CONFIG, now=NOW, expires_at=NOW)
    said = b"".join(table(COMMANDS, [order], "rfc")).decode()
    assert "MulticastGroup" in said
    assert secret not in said


def test_alarms_and_overrides_have_a_row_each() -> None:
    assert b"lamp_failure" in b"".join(table(ALARMS, [alarm(AlarmKind.LAMP_FAILURE, ended=True)], "rfc"))
    said = b"".join(table(OVERRIDES, [wish("zone:markt", "lamp:L1", reason="=cmd()")], "de")).decode()
    assert "'=cmd()" in said
    assert "lamp:L1 zone:markt" in said


def test_both_variants_name_every_column_once() -> None:
    for columns in (LAMPS, COMMANDS, ALARMS, OVERRIDES):
        assert len({column.name for column in columns}) == len({column.german for column in columns}) == len(columns)
