"""`stadtfunk simulate drive` hands on what `provision` needs."""

import pytest

from simulator import driving, provision


@pytest.mark.parametrize(("words", "wanted"), [
    (["--chirpstack", "host:1", "--token", "-x-", "--seed", "7", "--town", "netphen"], ("host:1", "-x-", None, "netphen", 7)),
    (["--chirpstack", "https://h", "--tenant", "t", "--lamps", "3"], ("https://h", None, "t", None, 1)),
])
def test_the_town_that_is_driven_is_the_one_that_is_provisioned(words: list[str], wanted: tuple[object, ...]) -> None:
    given = driving._parser().parse_args(_joined(words))
    told = provision._parser().parse_args(list(driving._provisioned(given)))
    assert (told.chirpstack, told.token, told.tenant, told.town, told.seed) == wanted
    assert (told.lamps, told.bays) == (given.lamps, given.bays)


def _joined(words: list[str]) -> list[str]:
    """--name=value, since a value may begin with a hyphen."""
    return [f"{name}={value}" for name, value in zip(words[::2], words[1::2], strict=True)]
