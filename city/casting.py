"""Which multicast groups to tell an order, and which lamps one by one; and what that costs. Pure.

A frame to a group is heard by all that have its keys. So a group may be told only if every lamp that may hear it shall do
just that. What a group leaves out, or what only some of a group shall do, is told one by one. Multicast is not acknowledged:
a frame is repeated, and whoever does not come to report what was ordered is told alone afterwards.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, prod

from city.airtime import HOUR_S, RX2_HZ, SCHEDULER_S, Estimate, time_on_air
from city.budget import USED_SHARE, down_band, lawful_s
from city.ids import DevEui, GatewayId

REPEATS = 3
MARGIN_S = 5.0  # ChirpStack's multicast_class_c_margin: between the gateways of a group, and between its frames
LOOK_S = 0.5  # until the bridge looks at what people want, on average
LOSS = 0.05  # of downlinks, as long as a town has not measured its own
GAP_S = 0.05  # between two frames of a gateway
LOOKS_S = 1.0  # between two looks of the bridge: neighbouring gateways take turns (city.turns)
RETRY_S = 45.0  # until a single message counts as lost
VERIFY_S = 300.0  # until a lamp that has not reported after a cast is told alone
LIKELY = 0.9
Waits = Callable[[GatewayId, float], float]  # seconds until that gateway may send for so many seconds


@dataclass(frozen=True, slots=True)
class Net:
    """A multicast group as the planner sees it: who can be told by it (`members`, confirmed), all who may `hear` it, and
    the gateways that send it."""

    id: str
    members: frozenset[DevEui]
    hearers: frozenset[DevEui]
    gateways: tuple[GatewayId, ...]


@dataclass(frozen=True, slots=True)
class Cast:
    """An order to a group, and the lamps of the target that are told by it and by no other."""

    net: Net
    lamps: frozenset[DevEui]


@dataclass(frozen=True, slots=True)
class Cover:
    """Casts and single messages that together tell exactly the target."""

    casts: tuple[Cast, ...]
    single: frozenset[DevEui]


@dataclass(frozen=True, slots=True)
class Air:
    """What an order's frame costs: its payload in bytes, the spreading factor, the share of the lawful time that may be
    used, of how many downlinks one is lost (0 to 1), and how the gateways of a group send: `together` by GPS time, or one
    after the other."""

    payload: int
    sf: int
    share: float = USED_SHARE
    loss: float = LOSS
    together: bool = False
    repeats: int = REPEATS
    verify_s: float = VERIFY_S
    report_s: float = 60.0

    @property
    def frame_s(self) -> float:
        """Seconds on air of one frame."""
        return time_on_air(self.payload, self.sf)

    def round_s(self, gateways: int) -> float:
        """Seconds from the first frame of a round to the first one of the next."""
        return MARGIN_S if self.together else MARGIN_S * max(gateways, 1)


def cover(target: Collection[DevEui], nets: Iterable[Net], fits: Callable[[DevEui], bool] | None = None, *,
          repeats: int = REPEATS) -> Cover:
    """The cheapest casts, chosen one by one, and the rest. `fits`: whether a lamp outside the target may hear the order
    all the same, because it shall burn so too; by default none may."""
    left = frozenset(target)
    open_nets = [net for net in nets if net.gateways and len(net.members & left) > repeats * len(net.gateways)
                 and _may_hear(net, left, fits)]
    casts: list[Cast] = []
    while open_nets:
        gain, best = min(((_cost(net, left, repeats), net) for net in open_nets), key=lambda one: (one[0], one[1].id))
        if gain >= 0:
            break
        casts.append(Cast(best, best.members & left))
        left -= best.members
        open_nets = [net for net in open_nets if net is not best]
    return Cover(tuple(casts), left)


def priced(found: Cover, reach_of: Mapping[DevEui, Sequence[GatewayId]], air: Air, *,
           hears: Mapping[DevEui, Sequence[GatewayId]] | None = None, losses: tuple[float, float] | None = None,
           waits: Waits | None = None) -> Estimate:
    """What the casts and single messages cost, and the same by single messages alone. `reach_of`: the gateways that reach a
    lamp, the one that sends to it alone first; of a lamp that is missing nothing is known. `hears`: those
    that it probably hears, where that is known to be more. `losses`: between which the loss probably lies; `waits`: seconds
    until a gateway may send so much more within its hour. The last lamp obeys with the
    frame after which probably none is left; whoever misses all frames is told alone once silence has shown it."""
    lamps = [device for cast in found.casts for device in cast.lamps] + list(found.single)
    low, high = losses or (air.loss, air.loss)
    last_s, missed = _last(found, reach_of, hears or reach_of, air, None)
    soonest_s, _ = _last(found, reach_of, hears or reach_of, replace(air, loss=low), 1 - LIKELY)
    latest_s, _ = _last(found, reach_of, hears or reach_of, replace(air, loss=high), LIKELY)
    waits_s = _held_s(found, reach_of, air, waits) if waits is not None else 0.0
    last_s += waits_s
    senders = {gateway for cast in found.casts for gateway in cast.net.gateways}
    senders |= {_alone(device, reach_of) for device in found.single}
    total = sum(air.repeats * len(cast.net.gateways) for cast in found.casts) + len(found.single) + max(missed, 0)
    return Estimate(lamps=len(lamps), frames=total, airtime_s=total * air.frame_s, last_s=last_s, unicast_frames=len(lamps),
                    unicast_last_s=singly_s(lamps, reach_of, air), casts=len(found.casts), gateways=len(senders), loss=air.loss,
                    known_s=last_s + air.report_s if lamps else 0.0, soonest_s=min(soonest_s + waits_s, last_s),
                    latest_s=max(latest_s + waits_s, last_s), waits_s=waits_s)


def _last(found: Cover, reach_of: Mapping[DevEui, Sequence[GatewayId]], hears: Mapping[DevEui, Sequence[GatewayId]], air: Air,
          likely: float | None) -> tuple[float, int]:
    """Seconds until the last lamp obeys, where nothing has to wait, and how many have to be told alone after all casts.
    `likely`: with this probability, 0 to 1; None: as is to be expected."""
    walks = [_Walk.of(cast, hears, air) for cast in found.casts]
    times = [walk.expected_s if likely is None else walk.within_s(likely) for walk in walks]
    missed = ceil(sum(walk.left for walk in walks) - 0.5)
    if found.single:
        times.append(singly_s(found.single, reach_of, air))
    if missed > 0:
        times.append(air.verify_s + _paced_s(missed, air))
    return max(times, default=0.0), missed


def _held_s(found: Cover, reach_of: Mapping[DevEui, Sequence[GatewayId]], air: Air, waits: Waits) -> float:
    """Seconds until every gateway may send what it is to send; what is more than an hour holds, waits as if it were that."""
    needed: Counter[GatewayId] = Counter(_alone(device, reach_of) for device in found.single)
    for cast in found.casts:
        needed.update(dict.fromkeys(cast.net.gateways, air.repeats))
    most = lawful_s(down_band(RX2_HZ)) * air.share
    return max((waits(gateway, min(frames * air.frame_s, most)) for gateway, frames in needed.items()), default=0.0)


def singly_s(lamps: Collection[DevEui], reach_of: Mapping[DevEui, Sequence[GatewayId]], air: Air) -> float:
    """Seconds until these lamps have been told one by one: neighbours in turns, each gateway within its budget, lost ones
    again."""
    if not lamps:
        return 0.0
    hoods = neighbourhoods(reach_of.get(device, ()) for device in lamps)
    gateways = Counter(_alone(device, reach_of) for device in lamps)
    by_hood = Counter(hoods.get(gateway := _alone(device, reach_of), gateway) for device in lamps)
    busiest = max(by_hood.values())
    retries = rounds_needed(len(lamps), air.loss, 3) - 1
    return max(_paced_s(busiest, air), max(_budgeted_s(count, air) for count in gateways.values())) + retries * RETRY_S


def neighbourhoods(reaches: Iterable[Sequence[GatewayId]]) -> Mapping[GatewayId, GatewayId]:
    """Gateways that lamps hear both of, directly or by others between them, under one name."""
    root: dict[GatewayId, GatewayId] = {}

    def found(gateway: GatewayId) -> GatewayId:
        while root.setdefault(gateway, gateway) != gateway:
            gateway = root[gateway]
        return gateway

    for reach in set(map(tuple, reaches)):
        for gateway in reach[1:]:
            root[found(gateway)] = found(reach[0])
    return {gateway: found(gateway) for gateway in list(root)}


def rounds_needed(lamps: int, loss: float, most: int) -> int:
    """After how many rounds probably no lamp is left that has heard none; at most `most`."""
    left, rounds = lamps * loss, 1
    while left >= 0.5 and rounds < most:
        left, rounds = left * loss, rounds + 1
    return rounds


def _cost(net: Net, left: frozenset[DevEui], repeats: int) -> int:
    """Frames more than by single messages; below 0 it saves some."""
    return repeats * len(net.gateways) - len(net.members & left)


def _may_hear(net: Net, target: frozenset[DevEui], fits: Callable[[DevEui], bool] | None) -> bool:
    others = net.hearers - target
    return not others or (fits is not None and all(fits(device) for device in others))


@dataclass(frozen=True, slots=True)
class _Walk:
    """The frames of a cast in the order in which they are sent: after so many seconds, with which probability every lamp has
    heard one; and how many lamps will have heard none of all of them."""

    after: tuple[tuple[float, float], ...]
    left: float

    @classmethod
    def of(cls, cast: Cast, hears: Mapping[DevEui, Sequence[GatewayId]], air: Air) -> "_Walk":
        gateways = cast.net.gateways
        tries = Counter(frozenset(gateways) & frozenset(hears.get(device, ())) or frozenset(gateways[:1])
                        for device in cast.lamps)
        missed = dict.fromkeys(tries, 1.0)  # the probability that a lamp has heard none so far
        at = LOOK_S + SCHEDULER_S / 2 + air.frame_s + (MARGIN_S if air.together else 0.0)
        after = []
        for step in range(air.repeats * len(gateways)):
            if step and (not air.together or step % len(gateways) == 0):
                after.append((at, _all_heard(tries, missed)))
                at += MARGIN_S
            sends = gateways[step % len(gateways)]
            missed = {reach: share * air.loss if sends in reach else share for reach, share in missed.items()}
        return cls((*after, (at, _all_heard(tries, missed))), sum(count * missed[reach] for reach, count in tries.items()))

    @property
    def expected_s(self) -> float:
        """When the last lamp has heard a frame, on average."""
        begun = self.after[0][0]
        return begun + sum((later - at) * (1 - heard) for (at, heard), (later, _) in pairwise(self.after))

    def within_s(self, likely: float) -> float:
        """When it has with this probability; the last frame where it has not."""
        return next((at for at, heard in self.after if heard >= likely), self.after[-1][0])


def _all_heard(tries: Mapping[frozenset[GatewayId], int], missed: Mapping[frozenset[GatewayId], float]) -> float:
    """The probability that every lamp has heard a frame."""
    return prod((1 - missed[reach]) ** count for reach, count in tries.items())


def _alone(device: DevEui, reach_of: Mapping[DevEui, Sequence[GatewayId]]) -> GatewayId:
    """The gateway that sends to a lamp alone."""
    reach = reach_of.get(device)
    return reach[0] if reach else GatewayId("")


def _paced_s(count: int, air: Air) -> float:
    """So many frames of one neighbourhood, as many between two looks as one gateway can send."""
    at_once = max(int((LOOKS_S - GAP_S) / (air.frame_s + GAP_S)), 1)
    return LOOK_S + SCHEDULER_S / 2 + ceil(count / at_once) * max(LOOKS_S, ceil(air.frame_s + GAP_S) * LOOKS_S)


def _budgeted_s(count: int, air: Air) -> float:
    """One gateway's frames: as many as the hour's budget holds, then the next hour's."""
    burst = max(int(lawful_s(down_band(RX2_HZ)) * air.share / air.frame_s), 1)
    hours, rest = divmod(max(count, 1) - 1, burst)
    return hours * HOUR_S + (rest + 1) * air.frame_s
