"""A part of a town for a map: each device while they are few, else cells of a grid with how many do what."""

from math import ceil

from simulator.panel.roster import Roster, asset_of
from simulator.panel.shapes import Cell, MapOut, StreetOut, Thing
from simulator.scenario import BaySite, LampSite, Scenario

MOST_THINGS, CELLS, MOST_STREET_POINTS = 1_500, 12, 20_000
MARGIN = 0.04  # of the town's width around it
LEAST_DEGREES = 0.0005
Box = tuple[float, float, float, float]  # south, west, north, east


def box_of(scenario: Scenario) -> Box:
    """All that a town has, and a little around it."""
    sites = [site.lamp.site for site in scenario.lamps] + [site.bay.site for site in scenario.bays]
    sites += [antenna.site for antenna in scenario.antennas]
    south, north = min(one.latitude for one in sites), max(one.latitude for one in sites)
    west, east = min(one.longitude for one in sites), max(one.longitude for one in sites)
    up, right = max(north - south, LEAST_DEGREES) * MARGIN, max(east - west, LEAST_DEGREES) * MARGIN
    return south - up, west - right, north + up, east + right


def map_of(roster: Roster, box: Box) -> MapOut:
    """The devices in a box (its edges belong to it)."""
    south, west, north, east = box
    inside = [one for one in roster.sites
              if south <= asset_of(one).site.latitude <= north and west <= asset_of(one).site.longitude <= east]
    few = len(inside) <= MOST_THINGS
    return MapOut(south=south, west=west, north=north, east=east, total=len(inside),
                  things=[_thing(roster, one) for one in inside] if few else [],
                  cells=[] if few else _cells(roster, inside, box))


def streets_of(scenario: Scenario) -> list[StreetOut]:
    """The streets as lines; of very large towns every n-th."""
    points = sum(len(street.points) for street in scenario.streets)
    step = max(ceil(points / MOST_STREET_POINTS), 1)
    return [StreetOut(name=street.name, points=[*street.points]) for street in scenario.streets[::step]]


def _thing(roster: Roster, site: LampSite | BaySite) -> Thing:
    does, mark, level, _ = roster.look(site)
    asset = asset_of(site)
    return Thing(id=asset.id, does=does, mark=mark, level=level, kind=asset.kind, latitude=asset.site.latitude,
                 longitude=asset.site.longitude)


def _cells(roster: Roster, sites: list[LampSite | BaySite], box: Box) -> list[Cell]:
    south, west, north, east = box
    high, wide = max(north - south, LEAST_DEGREES) / CELLS, max(east - west, LEAST_DEGREES) / CELLS
    groups: dict[tuple[int, int], list[LampSite | BaySite]] = {}
    for one in sites:
        place = asset_of(one).site
        groups.setdefault((int((place.latitude - south) / high), int((place.longitude - west) / wide)), []).append(one)
    return [_cell(roster, group) for group in groups.values()]


def _cell(roster: Roster, sites: list[LampSite | BaySite]) -> Cell:
    """It stands where its devices are on the average."""
    looks = [(isinstance(one, LampSite), *roster.look(one)) for one in sites]
    return Cell(latitude=sum(asset_of(one).site.latitude for one in sites) / len(sites),
                longitude=sum(asset_of(one).site.longitude for one in sites) / len(sites),
                lamps=sum(int(lamp) for lamp, *_ in looks), burning=sum(does == "burning" for _, does, *_ in looks),
                bays=sum(not lamp for lamp, *_ in looks), taken=sum(does == "taken" for _, does, *_ in looks),
                marked=sum(mark != "" or does == "unpowered" for _, does, mark, *_ in looks))
