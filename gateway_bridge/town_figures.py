"""One town's figures (city.figures) from the city database: what has changed since the last look is read, and told as lines.

Blocks, and only reads. What is over is told once, what stands again when it has changed; a town that is looked at for the first
time tells all of it that the database still has (city.store.glances.MOST_PAST of each kind), and of the commands that have ended
in the last hours in which step each did. Nights of energy are looked through in pieces, once a day all of them: a correction or
another factor shows within a day.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from city.bookkeeping import Known
from city.commands import Command
from city.expected import Learnt
from city.figured import Figure, Ground
from city.figured_energy import Place, energy, expected_wh
from city.figured_faults import FaultBook, fleet, sensors
from city.figured_orders import KEPT, OrderBook
from city.figured_wishes import MOST_FOLLOWED, ORIGIN, Wanted, WishBook, programmed
from city.glance import Glance, Heard, Ordered
from city.ids import AssetId, DevEui, OverrideId, TenantId
from city.nights import evening_of
from city.parking_facts import BayFact
from city.places import Supply
from city.programs import Programming
from city.store.figure_lines import line
from city.store.ports import TenantStore
from decoders.catalog import catalog

ENERGY_EVERY, ROUND_EVERY = timedelta(minutes=10), timedelta(days=1)
NEWEST, PIECE, LARGEST = 2, 7, 56  # nights that may still grow, and nights that are read at once
DAY = timedelta(days=1)
Essence = tuple[float | int | str | None, ...]  # of a figure


class Marks(NamedTuple):
    """Numbers that rise: with the registry of any town, with the scripts of any town, with what people want of this one."""

    registry: int
    scripts: int
    intents: int


@dataclass(slots=True)
class _Known:
    """What has been read of the town's facts, and what was told of its overrides."""

    orders: OrderBook
    wishes: WishBook = field(default_factory=WishBook)
    faults: FaultBook = field(default_factory=FaultBook)
    heard: dict[DevEui, Heard] = field(default_factory=dict)
    bays: dict[AssetId, BayFact] = field(default_factory=dict)
    told: dict[OverrideId, frozenset[Essence]] = field(default_factory=dict)
    wanted: Wanted = field(default_factory=Wanted)
    revision: int = 0  # as of which it was read; 0: nothing was
    seq: int = 0


class TownFigures:
    """Of one town; `lines` is asked for once a step, by one thread."""

    def __init__(self, tenant: TenantId, *, every_s: int, least_bays: int, keep_days: int) -> None:
        """`keep_days`: of the book of energy."""
        self._tenant, self._every_s, self._least_bays = tenant, every_s, least_bays
        self._marks: Marks | None = None
        self._ground = Ground()
        self._programming: Programming | None = None
        self._energy = EnergyWalk(keep_days)
        self._known = _Known(OrderBook(every_s))

    def lines(self, town: TenantStore, marks: Marks, at: datetime, now: datetime) -> list[bytes]:
        """All that is to be told in the step that begins at `at`. Raises StoreDown."""
        programming = self._stand_on(town, marks)
        known = self._known
        seen = town.glance(known.revision, known.seq, now - KEPT)
        self._learn(town, seen, now)
        known.revision, known.seq = seen.revision, seen.seq
        return [*self._written(self._sampled(town, programming, at)), *self._wished(now),
                *self._written(known.faults.incidents(self._ground)), *self._written(programmed(seen.programmed)),
                *self._energy.lines(town, self._ground, programming, marks, now)]

    # -- what there is

    def _stand_on(self, town: TenantStore, marks: Marks) -> Programming:
        """The registry and what is programmed, as they are now. Where devices have moved, all is looked at anew."""
        if marks == self._marks and self._programming is not None:
            return self._programming
        before, old = self._marks, self._ground
        programming = self._programming = town.programming()
        if before is None or before[:2] != marks[:2]:
            beats = {codec.model: codec.heartbeat for codec in catalog().values()} | {
                script.model: script.heartbeat for script in town.scripts()}
            self._ground = Ground(town.luminaires(), town.bays(), town.devices(), programming.groups, beats, self._least_bays)
            if list(old.devices) != list(self._ground.devices):
                self._known = _Known(OrderBook(self._every_s))
        elif programming.groups != old.groups:
            self._ground = Ground(old.lamps, old.bays, old.devices, programming.groups, old.heartbeats, self._least_bays)
        self._marks = marks
        return programming

    def _learn(self, town: TenantStore, seen: Glance, now: datetime) -> None:
        """What was seen after the look of which `revision` is."""
        known = self._known
        known.heard |= {one.device: one for one in seen.heard}
        known.orders.learn(seen.orders, self._ground.zone_of, now)
        known.wishes.learn(seen.overrides, seen.orders, now)
        known.faults.learn(seen.alarms, seen.incidents, seen.acts)
        if not known.revision:
            for wish in known.wishes.open:
                if wish.created_at < now - KEPT:  # what has become of its commands is older than the glance
                    orders = town.commands(origin=f"{ORIGIN}{wish.id}", limit=MOST_FOLLOWED)
                    known.wishes.learn((), map(_ordered, orders), now)
        if self._ground.bay_zone_of:
            facts = town.changed_bay_facts(known.revision) if known.bays else town.bay_facts()
            known.bays |= {fact.bay: fact for fact in facts}

    # -- what is told of it

    def _sampled(self, town: TenantStore, programming: Programming, at: datetime) -> Iterator[Figure]:
        ground, known = self._ground, self._known
        wanted = known.wanted.means(ground, programming, known.wishes.open, at)
        yield from known.orders.under_way(at, ground.lamp_zones, wanted)
        yield from known.orders.ended(at, ground.lamp_zones)
        yield from known.faults.standing(at, ground)
        yield from fleet(ground, known.heard, known.faults.silent(), at)
        if ground.bay_zone_of:
            blocked = {block.bay for block in town.bay_blocks(at) if block.holds(at)}
            yield from sensors(ground, known.bays, blocked | {bay.id for bay in ground.bays if bay.blocked}, at)

    def _wished(self, now: datetime) -> Iterator[bytes]:
        """The lines of overrides that are not what they were the last time."""
        known, told = self._known, dict[OverrideId, frozenset[Essence]]()
        for wish, figures in known.wishes.figures(self._ground, known.heard, now):
            before = known.told.get(wish, frozenset())
            made = {_essence(one): one for one in figures}
            yield from self._written(one for essence, one in made.items() if essence not in before)
            told[wish] = frozenset(made)
        standing = {wish.id for wish in known.wishes.open}
        known.told = {wish: made for wish, made in told.items() if wish in standing}

    def _written(self, figures: Iterable[Figure]) -> Iterator[bytes]:
        return _lines(self._tenant, figures)


class EnergyWalk:
    """Which nights of a town's book are looked at when, and what of them was told."""

    def __init__(self, keep_days: int) -> None:
        self._keep_days = keep_days
        self._due: datetime | None = None
        self._next: date | None = None  # of the round through all nights: the last one of the next piece
        self._round_due: datetime | None = None
        self._told: dict[date, int] = {}  # a digest of what was told of a night
        self._expected: tuple[object, Learnt, Mapping[Place, float]] | None = None

    def lines(self, town: TenantStore, ground: Ground, programming: Programming, marks: Marks, now: datetime) -> list[bytes]:
        """Those of nights that have changed, of the ones that are looked at now."""
        if not ground.lamps or (self._due is not None and now < self._due and self._next is None):
            return []
        tonight = evening_of(now)
        newest = tonight - (NEWEST - 1) * DAY
        if self._due is None or now >= self._due:
            self._due = now + ENERGY_EVERY
            expected = self._expect(town, ground, programming, marks, tonight)
            told = self._of(town, newest, tonight, {tonight: expected}, tonight)
        else:
            told = []
        if self._next is None and (self._round_due is None or now >= self._round_due):
            self._next, self._round_due = newest - DAY, now + ROUND_EVERY
        return told + self._piece(town, tonight - timedelta(days=self._keep_days), tonight)

    def _piece(self, town: TenantStore, oldest: date, tonight: date) -> list[bytes]:
        """The next nights of the round, as far back as there is something; of empty times more is looked at at once."""
        nights, told = PIECE, list[bytes]()
        while self._next is not None:
            last, first = self._next, max(self._next - (nights - 1) * DAY, oldest)
            self._next, nights = first - DAY if first > oldest else None, min(2 * nights, LARGEST)
            told += self._of(town, first, last, {}, tonight)
            if any(first <= night <= last for night in self._told):
                break
        return told

    def _of(self, town: TenantStore, first: date, last: date, expected: Mapping[date, Mapping[Place, float]],
            tonight: date) -> list[bytes]:
        sums, told = town.energy(first, last), list[bytes]()
        if not sums:
            return told
        factors = town.factors()
        for night in sorted({one.night for one in sums}):
            mine = [one for one in sums if one.night == night]
            made = list(_lines(town.tenant.id, energy(mine, factors, expected.get(night, {}), tonight=tonight)))
            digest = hash(tuple(made))
            if self._told.get(night) != digest:
                self._told[night] = digest
                told += made
        return told

    def _expect(self, town: TenantStore, ground: Ground, programming: Programming, marks: Marks,
                evening: date) -> Mapping[Place, float]:
        key, learnt = (evening, marks), town.learnt()
        if self._expected is None or self._expected[0] != key or self._expected[1] != learnt:
            fed = {one.id for one in town.circuits() if one.supply is Supply.NIGHT}
            known = Known(programming, learnt, night_switched=fed)
            self._expected = key, learnt, expected_wh(ground.lamps, known, evening)
        return self._expected[2]


def _lines(tenant: TenantId, figures: Iterable[Figure]) -> Iterator[bytes]:
    for one in figures:
        made = line(one.sheet, {"tenant": tenant, **one.tags}, one.values, one.at_ns)
        if made is not None:
            yield made


def _essence(one: Figure) -> Essence:
    return one.sheet, one.at_ns, *one.tags.values(), *one.values.values()


def _ordered(one: Command) -> Ordered:
    return Ordered(one.id, one.asset, one.origin, one.state, one.created_at, one.changed_at or one.created_at)
