"""A small invented town for tests of lighting: one street of lamps on one circuit, a crossing in the middle."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from city.groups import Target, resolve
from city.guards import Case
from city.ids import AssetId, CircuitId, OverrideId, TenantId, ZoneId
from city.lighting import Override, override
from city.places import Luminaire, Restriction, Site
from city.programs import Programming

SITE = Site(50.9966, 8.1104)
T = TenantId("hilchenbach")
EVENING = datetime(2026, 11, 22, 19, tzinfo=UTC)  # 20:00 local time, dark
LATE = datetime(2026, 11, 22, 22, tzinfo=UTC)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOWN = Programming(SITE, "NW")


def lamp(number: int, *, crossing: bool = False, **more) -> Luminaire:
    """The lamp of that number, thirty metres after the one before."""
    return Luminaire(T, AssetId(f"L{number}"), f"HIL-{number:04}", Site(50.9966, 8.1104 + number * 0.00043), ZoneId("markt"),
                     CircuitId("K1"), restriction=Restriction.CROSSWALK if crossing else Restriction.NONE, **more)


def street(lamps: int, **more) -> list[Luminaire]:
    return [lamp(number, **more) for number in range(lamps)]


def wish(level: int | None = 40, *targets: str, id="o1", now=EVENING, hours: float = 2, actor="anna", **more) -> Override:
    return override(id=OverrideId(id), tenant=T, targets=[Target.parse(one) for one in targets or ("zone:markt",)], level=level,
                    until=now + timedelta(hours=hours), actor=actor, now=now, **more)


def case(wished: Override, town: list[Luminaire], others=(), programming=TOWN, role="operator") -> Case:
    return Case(wished, resolve(wished.targets, town, programming.groups), town, programming, others, role, wished.created_at)


def approved(one: Override) -> Override:
    return replace(one, approved_by="bert", approved_at=one.created_at)
