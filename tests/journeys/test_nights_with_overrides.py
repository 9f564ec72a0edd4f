"""Nights full of wishes: whatever people ask for, and whatever is lost on the air, the lamps end where the program wants them."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from city.groups import Target
from city.ids import CalendarId, ProgramId
from city.places import Restriction
from city.programs import Anchor, Calendar, Moment, Program, Step, clock
from city.wants import Wants

BEFORE_TEN = datetime(2026, 11, 22, 20, 30, tzinfo=UTC)  # half an hour before the program reduces
SETTLED_S = 1800


async def wish(p, browser, rng: Random) -> None:
    """Somebody asks for something, or takes it back."""
    lamps = [lamp for lamp in p.town.luminaires() if lamp.restriction is Restriction.NONE]
    chosen = rng.sample(lamps, rng.randint(1, 3))
    target = rng.choice([[f"lamp:{lamp.id}" for lamp in chosen], [f"zone:{chosen[0].zone}"], [f"circuit:{chosen[0].circuit}"]])
    base = f"/api/v1/tenants/{p.scenario.tenant.id}/overrides"
    open_wishes = (await browser.get(base)).json()
    if open_wishes and rng.random() < 0.3:
        await browser.delete(f"{base}/{rng.choice(open_wishes)['id']}")
        return
    level = rng.choice([None, 30, 60, 80, 100])
    answer = await browser.post(base, json={"targets": target, "level": level, "minutes": rng.randint(3, 40)})
    assert answer.status_code in (202, 422), answer.text


def wrong(p) -> dict[str, tuple[float, int]]:
    """The lamps that burn otherwise than wanted, by the simulator's truth."""
    now = p.clock.now()
    wants = Wants(p.town.programming(), p.town.overrides(now), now)
    return {lamp.id: (round(p.chirpstack.lamps[lamp.id].level), wants.of(lamp).level) for lamp in p.town.luminaires()
            if round(p.chirpstack.lamps[lamp.id].level) != wants.of(lamp).level}


@pytest.mark.parametrize(("seed", "loss"), [(1, 0.0), (2, 0.1), (3, 0.2)])
async def test_an_expired_override_never_leaves_a_lamp_wrong(platform, seed, loss):
    p, rng = platform(start=BEFORE_TEN - timedelta(minutes=30), downlink_loss=loss), Random(seed)
    await p.run(1200, step=10)
    async with p.browser() as browser:
        for _ in range(10):
            await wish(p, browser, rng)
            await p.run(rng.randint(20, 300), step=2)
        open_wishes = [one["end"] for one in (await browser.get(f"/api/v1/tenants/{p.scenario.tenant.id}/overrides")).json()]
    last = max([datetime.fromisoformat(end) for end in open_wishes], default=p.clock.now())
    await p.run(max((last - p.clock.now()).total_seconds(), 0) + SETTLED_S, step=5)
    assert wrong(p) == {}


async def test_a_town_of_its_own_program_burns_as_it_says_all_night(platform):
    p = platform(start=BEFORE_TEN - timedelta(minutes=30))
    town = p.town
    town.put_program(Program(ProgramId("fein"), "Fein", Step(Moment(Anchor.SUNSET), 90), (Step(clock(21, 40), 70),
                             Step(clock(22, 20), 45)), Step(Moment(Anchor.DAWN), 0)))
    town.put_calendar(Calendar(CalendarId("fein"), "Fein", ProgramId("fein")))
    zone = town.luminaires()[0].zone

    town.assign(Target("zone", zone), CalendarId("fein"), "ada", p.clock.now())
    await p.run(1000, step=5)  # whatever changes by the clock was some minutes ago whenever we look
    for _ in range(6):
        assert wrong(p) == {}
        await p.run(900, step=5)
