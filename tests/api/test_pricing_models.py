"""What an order costs is known of every model that can be dimmed, and of any of them together."""

import pytest

from api.pricing import price
from city.errors import Unsupported
from city.ids import AssetId, TenantId
from city.imports import parse
from city.store.ports import Store
from decoders.catalog import catalog
from tests.api.conftest import HEAD, NIGHT

DIMMING = sorted(model for model, codec in catalog().items() if codec.asset == "lamp" and codec.abilities.dims)


def stand(store: Store, models: list[str]):  # type: ignore[no-untyped-def]
    rows = "".join(f"Z{n},lamp,Z {n},51.0,8.1,z,K9,c0000000000000{n:02x},{model},40,P4,\n" for n, model in enumerate(models))
    parsed, problems = parse((HEAD + rows).encode(), set(catalog()))
    assert not problems
    town = store.tenant(TenantId("alt"))
    town.import_rows(parsed)
    return town, [lamp for lamp in town.luminaires() if lamp.zone == "z"]


@pytest.mark.parametrize("model", DIMMING)
def test_every_model_that_can_be_dimmed_has_a_price(store: Store, model: str) -> None:
    town, lamps = stand(store, [model])
    assert price(town, lamps, 40, now=NIGHT).frames == 1


def test_models_of_different_words_are_priced_together(store: Store) -> None:
    town, lamps = stand(store, DIMMING)
    assert price(town, lamps, 40, now=NIGHT).unicast_frames == len(DIMMING)


def test_a_lamp_without_a_controller_has_none(store: Store) -> None:
    town = store.tenant(TenantId("alt"))
    with pytest.raises(Unsupported):
        price(town, [lamp for lamp in town.luminaires() if lamp.id == AssetId("U1")], 40, now=NIGHT)
