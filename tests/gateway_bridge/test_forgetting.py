"""Settings that a model forgets when it joins anew are not taken as confirmed any more."""

from pathlib import Path

import pytest
from msgspec import structs

from city.imports import COLUMNS, parse
from city.readings import to_ns
from city.store.ports import Facts
from tests.gateway_bridge.samples import EUI, other, up
from tests.gateway_bridge.town import NOW, Town, small_town

OLD, NEW = "01000001", "01000002"
CONFIRMED = {"StatusInterval": '{"type":"StatusInterval","seconds":600}'}


def configured(town: Town, model: str) -> None:
    """The sample lamp with this model, in the session OLD, with a confirmed setting."""
    row = f"N-0042,lamp,Lampe 42,48.7,13.8,nord,K1,{EUI},{model},40,P4,\n"
    rows, problems = parse((",".join(COLUMNS) + "\n" + row).encode(), {model})
    assert not problems
    town.own.import_rows(rows)
    known = town.known().state
    town.store.commit(Facts(states=(structs.replace(known, session=OLD, heard_ns=to_ns(NOW) - 60 * 10**9, config=CONFIRMED),)))


async def joins(town: Town, address: str) -> None:
    await town.hear("join", other(eui=EUI, time=town.stamp(-30), devAddr=address))


async def speaks(town: Town, address: str) -> None:
    await town.hear("up", up(b"\x85\x00", f_port=6, eui=EUI, f_cnt=0, time=town.stamp(-20), devAddr=address))


@pytest.mark.parametrize("sign", [joins, speaks])
async def test_a_model_that_forgets_is_told_again_after_it_has_joined(tmp_path: Path, sign: object) -> None:
    with small_town(tmp_path) as town:
        configured(town, "zenosmart/lcc")
        await sign(town, NEW)  # type: ignore[operator]
        assert (town.known().state.session, town.known().state.config) == (NEW, {})


async def test_not_while_its_session_goes_on(tmp_path: Path) -> None:
    with small_town(tmp_path) as town:
        configured(town, "zenosmart/lcc")
        await speaks(town, OLD)
        assert town.known().state.config == CONFIRMED


async def test_others_remember(tmp_path: Path) -> None:
    with small_town(tmp_path) as town:
        configured(town, "nas/ul20xx")
        await joins(town, NEW)
        assert (town.known().state.session, town.known().state.config) == (NEW, CONFIRMED)
