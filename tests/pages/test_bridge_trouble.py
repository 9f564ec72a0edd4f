"""The console says when what it shows may be old, because a bridge is silent or cannot work."""

from datetime import timedelta

from city.health import Beat, broken, warning
from tests.pages.conftest import HOSTILE, NOW
from tests.pages.test_public import text


async def test_a_bridge_that_is_heard_and_well_is_not_spoken_of(operator, world):
    world.store.put_beat(Beat("bruecke-1", NOW, (warning("qos0", count=3),)))
    page = (await operator.get("/stadt/betrieb")).text
    assert "notice--warn" not in page.partition('id="tonight"')[0]


async def test_a_silent_bridge_is_named_in_both_languages(operator, world):
    world.store.put_beat(Beat(HOSTILE, NOW - timedelta(minutes=2)))
    page = (await operator.get("/stadt/betrieb")).text
    assert HOSTILE not in page
    assert "hat sich seit 2 min nicht gemeldet" in text(page)
    assert "has not been heard for 2 min" in text((await operator.get("/en/stadt/operations")).text)


async def test_a_bridge_that_cannot_work_says_why(operator, world):
    world.store.put_beat(Beat("b", NOW, (broken("log_refuses", what="kein Platz {since}"),)))
    assert "nimmt nichts an, deshalb wird nichts quittiert: kein Platz {since}" in text(
        (await operator.get("/stadt/betrieb")).text)
