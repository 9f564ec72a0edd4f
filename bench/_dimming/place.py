"""The town of the bench: three zones of equal size one above the other, four gateways on roofs, lamps every 30 metres.

3,000 lamps stand on 3 km by 3 km. Distances to the nearest gateway reach a kilometre, so that ADR leaves lamps at every
data rate; each lamp of the middle zone is nearest to another gateway than its neighbours across the street corner.
"""

from math import ceil

from simulator.plan import Devices, GatewayPlan, Plan, Point, StreetPlan, Town
from simulator.scenario import Scenario, build

ZONES = ("Nord", "Mitte", "Süd")
ZONE = ZONES[1]
SPACING_M, STREET_M = 30.0, 100.0
MODEL = "nas/ul20xx"


def scenario(lamps: int, *, gnss: bool = False, **devices: float) -> Scenario:
    """A town with that many lamps, a third of them in each zone."""
    each = lamps // len(ZONES)
    columns = max(round((each * STREET_M / SPACING_M * 3) ** 0.5), 2)
    streets = ceil(each / columns)
    width, height = columns * SPACING_M, streets * STREET_M * len(ZONES)
    plan = Plan(
        town=Town("pruefstadt", "Prüfstadt", 51.0, 8.1, "PS", spacing_m=SPACING_M, number=77),
        street=tuple(_street(zone, row, band, streets, (width, height)) for band, zone in enumerate(ZONES)
                     for row in range(streets)),
        gateway=tuple(GatewayPlan(f"0016c001ff00d0{index:02x}", f"Dach {index + 1}", at, height_m=25.0, gnss=gnss)
                      for index, at in enumerate(_roofs(width, height))),
        devices=Devices())
    return build(plan, lamps=each * len(ZONES), bays=0).tuned(**devices)


def _street(zone: str, row: int, band: int, streets: int, size: Point) -> StreetPlan:
    """Eastwards, one below the other."""
    width, height = size
    north = height / 2 - (band * streets + row + 0.5) * STREET_M
    name = f"{zone}straße {row + 1}"
    return StreetPlan(name, zone, f"{zone}-{row + 1}", ((-width / 2, north), (width / 2, north)))


def _roofs(width: float, height: float) -> tuple[Point, ...]:
    return tuple((width * east, height * north) for north in (0.25, -0.25) for east in (-0.25, 0.25))
