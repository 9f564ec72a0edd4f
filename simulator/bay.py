"""Parking bays: people who come and go, and sensors that notice most of it.

`Lot` is the truth: arrivals by the hour, a free bay each, a stay, away. `Bay` is one bay and its sensor: the state it
believes, its frame at each edge it noticed, its sign of life, its start-up frame (simulator.sensors: by its model).
"""

from collections.abc import Callable, Sequence
from random import Random

from city.places import ParkingBay, Restriction
from city.readings import NS
from decoders.codec import Codec, Frame
from simulator.engine import Engine
from simulator.habits import HOUR_S, LocalWeek, arrivals, rate_at, stay
from simulator.plan import Habit
from simulator.sensors import EVERY, VOICES, Kept, Moment, Says

STATUS, HEARTBEAT, START = 1, 2, 3  # FPorts of a TPS110
HEARTBEAT_S, JITTER_S = 86_400.0, 300.0
ANSWERS_AFTER_S = 3.0
NOTICED_WITHIN_S = (4.0, 25.0)
WIGGLE, HEALS = 0.05, 0.5  # shares: arrivals that re-park; missed edges that the sensor finds out about by itself
RESERVED_USE = 0.35  # how often somebody who finds a reserved bay free may use it
LOOK_BACK_S = {"city": 24 * HOUR_S, "commuter": 24 * HOUR_S, "resident": 72 * HOUR_S}  # as long as anybody stays
TRIES = 60
SHORTEST_S = 90.0  # longer than it takes to re-park


class Bay:
    """One bay and its sensor. `send` takes its frames; `start` is called when it has joined."""

    def __init__(self, asset: ParkingBay, codec: Codec, *, missed_edge: float, engine: Engine, rng: Random,
                 send: Callable[[Frame], None]) -> None:
        self.asset, self.taken, self.occupied, self.believed = asset, False, False, False
        self._codec, self._engine, self._rng, self._send = codec, engine, rng, send
        self._missed_edge, self._on, self._looking = missed_edge, False, False
        self._deaf = False
        self._voice, self._kept = VOICES[codec.model], Kept()
        self._sent, self._degrees, self._changed_ns, self._lasted_ns = 0, 10, engine.now, 0

    def start(self) -> None:
        """Joined: say so and begin to watch; a sign of life every so often from now on."""
        self._on, self.believed = True, self.occupied
        self._say(self._voice.start)
        self._engine.after(self._rng.uniform(0, self._every_s), self._beat)

    def receive(self, frame: Frame) -> None:
        """A downlink: taken in, and answered where sensors of this model do (raises nothing)."""
        said = self._voice.answer(self._codec, frame, self._kept)
        if said is not None:
            self._engine.after(ANSWERS_AFTER_S, self._say, lambda _: said)

    def arrive(self) -> None:
        """Somebody takes the bay; one in twenty re-parks, with two or three edges within a minute."""
        self.taken = True
        self.move(True)
        if self._rng.random() < WIGGLE:
            self._engine.after(self._rng.uniform(8, 20), self.move, False)
            self._engine.after(self._rng.uniform(30, 60), self.move, True)

    def leave(self) -> None:
        """Whoever took the bay is gone."""
        self.taken = False
        self.move(False)

    def move(self, occupied: bool) -> None:
        """A vehicle comes to stand here or goes; the sensor notices some seconds later, or misses it."""
        self.occupied = occupied
        self._deaf = self._rng.random() < self._missed_edge
        if not self._deaf:
            self._look_soon()
        elif self._rng.random() < HEALS:
            self._engine.after(self._rng.uniform(300, 3600), self._look_again)

    def _look_soon(self) -> None:
        if self._on and not self._looking:
            self._looking = True
            self._engine.after(self._rng.uniform(*NOTICED_WITHIN_S), self._notice)

    def _look_again(self) -> None:
        self._deaf = False
        self._look_soon()

    def _notice(self) -> None:
        self._looking = False
        if self.believed != self.occupied and not self._deaf:
            self.believed = self.occupied
            self._lasted_ns, self._changed_ns = self._engine.now - self._changed_ns, self._engine.now
            self._say(self._voice.change)

    def _beat(self) -> None:
        self._degrees = round(10 + 6 * self._rng.random() - (2 if self.believed else 0))
        self._say(self._voice.beat)
        jitter = self._rng.uniform(-JITTER_S, JITTER_S) * min(1.0, self._every_s / HEARTBEAT_S)
        self._engine.after(self._every_s + jitter, self._beat)

    @property
    def _every_s(self) -> float:
        return self._kept.get(EVERY) or self._codec.heartbeat.total_seconds()

    def _say(self, says: Says) -> None:
        port, told = says(Moment(self.believed, self._lasted_ns // (60 * NS), self._degrees, self._sent,
                                 self._engine.now // NS))
        self._sent += 1
        self._send(self._codec.encode_uplink(port, told))


class Lot:
    """The bays of one zone and the people who use them."""

    def __init__(self, bays: Sequence[Bay], habit: Habit, week: LocalWeek, *, engine: Engine, rng: Random) -> None:
        self.bays, self._habit, self._week = bays, habit, week
        self._engine, self._rng = engine, rng
        self._most = max(arrivals(habit)) * len(bays)  # arrivals a second at the busiest time
        self._fill()
        self._next()

    @property
    def occupied(self) -> int:
        """How many bays are really occupied."""
        return sum(bay.occupied for bay in self.bays)

    def _fill(self) -> None:
        """Those who came before the simulation begins and are still there."""
        now, at = self._engine.now, self._engine.now - int(LOOK_BACK_S[self._habit] * NS)
        while (at := at + int(self._rng.expovariate(self._most) * NS)) < now:
            if self._comes(at):
                leaves = at + int(stay(self._habit, self._rng) * NS)
                bay = self._free() if leaves > now else None
                if bay is not None:
                    bay.taken = bay.occupied = True
                    self._engine.at(leaves, bay.leave)

    def _next(self) -> None:
        self._engine.after(self._rng.expovariate(self._most), self._perhaps)

    def _perhaps(self) -> None:
        if self._comes(self._engine.now):
            self._arrive()
        self._next()

    def _comes(self, at_ns: int) -> bool:
        """Thinning: whether this moment of the busiest time's stream is one of an arrival at this hour."""
        rate = rate_at(self._habit, self._week.seconds(at_ns)) * len(self.bays)
        return self._rng.random() * self._most < rate

    def _arrive(self) -> None:
        bay = self._free()
        if bay is None:
            return  # full: drives on
        bay.arrive()
        self._engine.after(max(stay(self._habit, self._rng), SHORTEST_S), bay.leave)

    def _free(self) -> Bay | None:
        """A free bay by chance; one that is reserved only now and then."""
        for _ in range(TRIES):
            bay = self._rng.choice(self.bays)
            if not bay.taken and (bay.asset.restriction is Restriction.NONE or self._rng.random() < RESERVED_USE):
                return bay
        free = [bay for bay in self.bays if not bay.taken]
        return self._rng.choice(free) if free else None
