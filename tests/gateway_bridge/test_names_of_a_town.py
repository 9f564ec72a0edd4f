"""A bomb of field names: what a town's own words name is bounded for the whole town, and what is over is a dead letter."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from city.imports import COLUMNS, parse
from city.settings import Scripts
from gateway_bridge.link import Message
from gateway_bridge.listen import parse_all
from gateway_bridge.reading import Reader
from tests.gateway_bridge.samples import encode, topic, up
from tests.gateway_bridge.town import NOW, Town, small_town

DEVICES = [f"70b3d57ed0000f{n:02x}" for n in range(40)]


@pytest.fixture
def bombed(tmp_path: Path) -> Iterator[Town]:
    with small_town(tmp_path) as town:
        lines = [f"B-{n},lamp,,48.7,13.8,nord,,{eui},acme/bare,40,," for n, eui in enumerate(DEVICES)]
        rows, problems = parse(("\n".join([",".join(COLUMNS), *lines]) + "\n").encode(), {"acme/bare"})
        assert not problems
        town.own.import_rows(rows)
        yield town


def read(reader: Reader, *said: tuple[str, dict[str, object]]) -> list[str]:
    """What becomes of frames of which the network server says this: the reason of each, "" where it is read."""
    messages = [Message(topic("up", eui), encode(up(b"\1", eui=eui, object=values))) for eui, values in said]
    return ["" if one.read is None or one.read.failed is None else one.read.failed.reason
            for one in reader.read(parse_all(messages), NOW)]


def test_new_names_beyond_the_towns_bound_are_refused_and_known_ones_read(bombed: Town,
                                                                           caplog: pytest.LogCaptureFixture) -> None:
    with Reader(bombed.store, Scripts(raw_series=25)) as reader:
        reasons = read(reader, *((eui, {f"a{n}": 1.5, f"b{n}": 2.5}) for n, eui in enumerate(DEVICES)),
                       (DEVICES[0], {"a0": 3.5}), (DEVICES[1], {"b0": 3.5, "a1": 1.0}))
    assert reasons == [""] * 12 + ["TooManySeries"] * 28 + ["", ""]
    assert sum("no more are kept" in record.message for record in caplog.records) == 1


def test_without_a_bound_every_name_is_read(bombed: Town) -> None:
    with Reader(bombed.store, Scripts(raw_series=0)) as reader:
        assert set(read(reader, *((eui, {f"a{n}": 1.5}) for n, eui in enumerate(DEVICES)))) == {""}
