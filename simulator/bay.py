"""Parking bays: people who come and go, and sensors that notice most of it.

`Lot` is the truth: arrivals by the hour, a free bay each, a stay, away. `Bay` is one bay and its sensor: the state it
believes, its frame at each edge it noticed, its sign of life, its start-up frame (simulator.sensors: by its model).
"""

from collections.abc import Sequence
from random import Random

from city.places import ParkingBay, Restriction
from city.readings import NS
from decoders.codec import Codec, Frame
from simulator.battery import cell_voltage, left
from simulator.engine import Engine
from simulator.habits import HOUR_S, LocalWeek, arrivals, rate_at, stay
from simulator.mains import outside
from simulator.makes import Radio
from simulator.plan import Habit
from simulator.sensors import EVERY, NOTHING_KEPT, VOICES, Kept, Moment, Says

STATUS, HEARTBEAT, START = 1, 2, 3  # FPorts of a TPS110
HEARTBEAT_S, JITTER_S = 86_400.0, 300.0
ANSWERS_AFTER_S = 3.0
NOTICED_WITHIN_S = (4.0, 25.0)
WIGGLE, HEALS = 0.05, 0.5  # shares: arrivals that re-park; missed edges that the sensor finds out about by itself
RESERVED_USE = 0.35  # how often somebody who finds a reserved bay free may use it
LOOK_BACK_S = {"city": 24 * HOUR_S, "commuter": 24 * HOUR_S, "resident": 72 * HOUR_S}  # as long as anybody stays
TRIES = 60
SHORTEST_S = 90.0  # longer than it takes to re-park
FAULTS = ("", "stuck", "flapping", "silent", "rebooting")
FLAPS_S, REBOOTS_S, BOOT_S = (15.0, 120.0), (1200.0, 5400.0), (5.0, 30.0)
STUCK_S = 2 * 86_400.0  # mean time until a sensor that got stuck by itself has learnt its bay anew
MOST_RUSH = 100.0
GROUND_LAG_NS, GROUND_K, SHADE_K = 3 * 3600 * NS, 2.0, 2.0  # tarmac follows the air, warmer; a car shades it
WANDER_K, MOST_WANDER_K = 0.05, 3.0  # by how much a thermometer drifts from one sign of life to the next, and in all


class Bay:
    """One bay and its sensor. `radio` takes its frames, and is told when it restarts; `start` is called when it has joined.
    `missed_edge` is the share of edges that it does not notice, `stuck_per_day` how
    often it gets stuck by itself."""

    __slots__ = ("_begin", "_changed_ns", "_codec", "_deaf", "_engine", "_kept", "_lasted_ns", "_looking", "_missed_edge",
                 "_on", "_radio", "_rng", "_runs", "_sent", "_since_ns", "_stuck_per_day", "_voice", "_wander",
                 "asset", "believed", "boot_reason", "fault", "occupied", "taken")

    def __init__(self, asset: ParkingBay, codec: Codec, *, missed_edge: float, engine: Engine, rng: Random,
                 radio: Radio, stuck_per_day: float = 0.0) -> None:
        self.asset, self.taken, self.occupied, self.believed = asset, False, False, False
        self._codec, self._engine, self._rng, self._radio = codec, engine, rng, radio
        self._missed_edge, self._stuck_per_day = missed_edge, stuck_per_day
        self._on = self._looking = self._deaf = False
        self._voice, self._kept = VOICES[codec.model], NOTHING_KEPT
        self.fault, self.boot_reason = "", "power-on"
        self._begin, self._wander = rng.uniform(0.55, 1.0), 0.0
        self._since_ns = self._changed_ns = engine.now
        self._runs = self._sent = self._lasted_ns = 0

    def start(self) -> None:
        """Joined: say so and begin to watch; a sign of life every so often from now on."""
        self._runs += 1
        self._on, self._looking = True, False
        if self.fault != "stuck":
            self.believed = self.occupied
        self._say(self._voice.start)
        self._engine.after(self._rng.uniform(0, self._every_s), self._beat, self._runs)

    def receive(self, frame: Frame, *, to_group: bool = False) -> None:
        """A downlink: taken in, and answered where sensors of this model do (raises nothing). None is in a group."""
        if to_group or self._dead:
            return
        kept: Kept = dict(self._kept)
        said = self._voice.answer(self._codec, frame, kept)
        self._kept = kept or NOTHING_KEPT
        if said is not None:
            self._engine.after(ANSWERS_AFTER_S, self._say, lambda _: said)

    def fail(self, fault: str) -> None:
        """From now on the sensor has this fault, one of FAULTS; "" repairs it, and it looks again. Raises ValueError."""
        if fault not in FAULTS:
            raise ValueError(f"no such fault: {fault}")
        self.fault, self._deaf = fault, False
        if fault == "flapping":
            self._engine.after(self._rng.uniform(*FLAPS_S), self._flap)
        elif fault == "rebooting":
            self._engine.after(self._rng.uniform(*REBOOTS_S), self._reboot)
        elif not fault:
            self._look_soon()

    @property
    def battery(self) -> float:
        """What is left of its battery, per cent."""
        return 100 * self._charge

    # -- who parks there

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

    # -- what the sensor makes of it

    def _look_soon(self) -> None:
        if self._on and not self._looking:
            self._looking = True
            self._engine.after(self._rng.uniform(*NOTICED_WITHIN_S), self._notice, self._runs)

    def _look_again(self) -> None:
        self._deaf = False
        self._look_soon()

    def _notice(self, run: int) -> None:
        if run != self._runs:
            return
        self._looking = False
        if self.believed != self.occupied and not self._deaf and self.fault not in ("stuck", "flapping"):
            self._believe(self.occupied)

    def _believe(self, occupied: bool) -> None:
        self.believed = occupied
        self._lasted_ns, self._changed_ns = self._engine.now - self._changed_ns, self._engine.now
        self._say(self._voice.change)

    def _flap(self) -> None:
        if self.fault == "flapping":
            self._believe(not self.believed)
            self._engine.after(self._rng.uniform(*FLAPS_S), self._flap)

    def _reboot(self) -> None:
        """The watchdog restarts it, again and again."""
        if self.fault == "rebooting":
            self.boot_reason, self._on = "watchdog", False
            self._runs += 1
            self._engine.after(self._rng.uniform(*BOOT_S), self._radio.rejoin)
            self._engine.after(self._rng.uniform(*REBOOTS_S), self._reboot)

    def _unstick(self) -> None:
        if self.fault == "stuck":
            self.fail("")

    def _beat(self, run: int) -> None:
        if run != self._runs:
            return
        rng = self._rng
        self._wander = min(max(self._wander + rng.gauss(0, WANDER_K), -MOST_WANDER_K), MOST_WANDER_K)
        if self._stuck_per_day and not self.fault and rng.random() < self._stuck_per_day * self._every_s / 86_400:
            self.fail("stuck")
            self._engine.after(rng.expovariate(1 / STUCK_S), self._unstick)
        self._say(self._voice.beat)
        jitter = rng.uniform(-JITTER_S, JITTER_S) * min(1.0, self._every_s / HEARTBEAT_S)
        self._engine.after(self._every_s + jitter, self._beat, run)

    @property
    def _every_s(self) -> float:
        return self._kept.get(EVERY) or self._codec.heartbeat.total_seconds()

    @property
    def _charge(self) -> float:
        return left(self._begin, (self._engine.now - self._since_ns) / (3600 * NS), self._sent)

    @property
    def _dead(self) -> bool:
        return self.fault == "silent" or self._charge <= 0

    def _warmth(self) -> float:
        """What its thermometer reads in the ground, °C."""
        return outside(self._engine.now - GROUND_LAG_NS) + GROUND_K - SHADE_K * self.occupied + self._wander

    def _say(self, says: Says) -> None:
        if not self._on or self._dead:
            return
        degrees, charge = self._warmth(), self._charge
        port, told = says(Moment(self.believed, self._lasted_ns // (60 * NS), round(degrees), self._sent,
                                 self._engine.now // NS, charge, cell_voltage(charge, degrees), self.boot_reason))
        self._sent += 1
        self._radio.send(self._codec.encode_uplink(port, told))


class Lot:
    """The bays of one zone and the people who use them."""

    __slots__ = ("_engine", "_factor", "_habit", "_most", "_rng", "_turn", "_week", "bays")

    def __init__(self, bays: Sequence[Bay], habit: Habit, week: LocalWeek, *, engine: Engine, rng: Random) -> None:
        self.bays, self._habit, self._week = bays, habit, week
        self._engine, self._rng = engine, rng
        self._most = max(arrivals(habit)) * len(bays)  # arrivals a second at the busiest time
        self._factor, self._turn = 1.0, 0
        self._fill()
        self._next(self._turn)

    @property
    def occupied(self) -> int:
        """How many bays are really occupied."""
        return sum(bay.occupied for bay in self.bays)

    def rush(self, factor: float, until_ns: int) -> None:
        """Until then people arrive `factor` (0 to 100) times as often as they would. Raises ValueError."""
        if not 0 <= factor <= MOST_RUSH:
            raise ValueError(f"no factor of a rush: {factor}")
        self._factor = factor
        self._turn += 1
        self._next(self._turn)
        self._engine.at(until_ns, self._calm, self._turn)

    def _calm(self, turn: int) -> None:
        if turn == self._turn:
            self._factor = 1.0
            self._turn += 1
            self._next(self._turn)

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

    def _next(self, turn: int) -> None:
        self._engine.after(self._rng.expovariate(self._most * max(self._factor, 1.0)), self._perhaps, turn)

    def _perhaps(self, turn: int) -> None:
        if turn != self._turn:
            return
        if self._comes(self._engine.now):
            self._arrive()
        self._next(turn)

    def _comes(self, at_ns: int) -> bool:
        """Thinning: whether this moment of the busiest time's stream is one of an arrival at this hour."""
        rate = rate_at(self._habit, self._week.seconds(at_ns)) * len(self.bays)
        return self._rng.random() * self._most * max(self._factor, 1.0) < rate * self._factor

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
