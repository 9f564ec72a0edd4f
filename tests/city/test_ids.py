"""Names of things are parsed once and compared as plain strings."""

import pytest

from city import ids
from city.errors import Invalid


@pytest.mark.parametrize("text", ["70B3D57ED0000042", "70-b3-d5-7e-d0-00-00-42", "70:b3:d5:7e:d0:00:00:42", " 70b3d57ed0000042 "])
def test_a_dev_eui_is_lower_case_hex_however_it_was_written(text):
    assert ids.dev_eui(text) == "70b3d57ed0000042"


@pytest.mark.parametrize("text", ["", "70b3d57ed000004", "70b3d57ed00000420", "70b3d57ed000004g", "７0b3d57ed0000042"])
def test_what_is_no_eui_is_refused_with_the_field(text):
    with pytest.raises(Invalid) as caught:
        ids.dev_eui(text)
    assert caught.value.field == "dev_eui"


@pytest.mark.parametrize("text", ["hilchenbach", "bad-laasphe", "x"])
def test_a_town_is_a_slug(text):
    assert ids.tenant_id(text) == text


@pytest.mark.parametrize("text", ["", "Hilchenbach", "../etc", "a/b", "-a", "a-", "ä", "a" * 41, "a\n"])
def test_what_cannot_stand_in_an_address_is_no_town(text):
    with pytest.raises(Invalid):
        ids.tenant_id(text)


@pytest.mark.parametrize("text", ["HIL-0042", "Mast_7", "Ö1", "a.b"])
def test_an_asset_bears_the_number_on_its_pole(text):
    assert ids.asset_id(text) == text


@pytest.mark.parametrize("text", ["", "a b", "a/b", "<b>", "-1", "x" * 65, "a\n", "=cmd"])
def test_hostile_asset_names_are_refused(text):
    with pytest.raises(Invalid):
        ids.asset_id(text)

@pytest.mark.parametrize("text", sorted(ids.RESERVED))
def test_addresses_of_the_platform_are_no_towns(text):
    with pytest.raises(Invalid) as caught:
        ids.tenant_id(text)
    assert caught.value.rule in ("not reserved", "slug")
