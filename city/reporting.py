"""How many lamps may report within how much time: the other half of a dim, for nobody knows what nobody could hear.

A frame to a group reaches a thousand lamps at once; if they all answered at once, almost nothing would be heard. So lamps
report a change of level within a random time (`city.orders.LevelNotice`), and are asked no faster than they can be heard.

Uplinks are pure ALOHA: two frames of one spreading factor on one of the channels spoil each other if they overlap
(N. Abramson, AFIPS 1970; the probability that a frame is spoilt is 1 - exp(-2G) at G frames per time on air). Of these
overlaps only some are fatal, since a receiver keeps the stronger frame and several gateways hear different ones as the
stronger: FATAL is what the simulator's air (simulator.medium: 6 dB capture, eight demodulators, fading) shows, by
`bench.dimming`'s town with one, two and four gateways: 0.4, 0.27 and 0.2.
"""

from collections.abc import Mapping
from math import ceil, exp, sqrt

from city.airtime import CHANNELS, time_on_air
from city.errors import Invalid
from city.orders import LevelNotice, Order, StatusInterval, from_json, kept_as

REPORT = 22  # bytes of a lamp's status: NAS UL20xx firmware 1.1, FPort 23
LOST = 0.02  # of the reports that answer one order: those lamps are asked once more
FATAL = 0.4  # of overlapping frames, at a single gateway
UNKNOWN_INTERVAL_S = 3600.0  # between two reports of a lamp that gives no notice, where nobody has set it
STEP_S = 5  # NAS UL20xx order 0x2A counts in steps of 5 s, 254 of them at most
LEAST_S, MOST_S = 20, 254 * STEP_S  # 20 s is how it leaves the factory
ANSWERED_S = 15.0  # from the end of the random time until the platform has a report that was heard at all
RATES: Mapping[int, float] = {7: 0.80, 8: 0.08, 9: 0.06, 10: 0.03, 11: 0.02, 12: 0.01}  # of lamps, by SF, as ADR leaves a town


def spread_for(lamps: int, *, gateways: int = 2, rates: Mapping[int, float] = RATES, report: int = REPORT,
               lost: float = LOST) -> int:
    """The random time, in seconds, within which so many lamps should report what they were told together, so that at most a
    share `lost` (0 to 1) of the reports is spoilt. `gateways` hear a lamp on average; `rates` are the shares of lamps by
    spreading factor. In steps of STEP_S from LEAST_S to MOST_S: beyond, more is lost, and more has to be asked for."""
    needed = 2 * _fatal(gateways) * max(lamps, 0) * _load(rates, report) / (len(CHANNELS) * lost)
    return min(max(ceil(needed / STEP_S) * STEP_S, LEAST_S), MOST_S)


def notice_for(lamps: int, *, gateways: int = 2, rates: Mapping[int, float] = RATES) -> LevelNotice:
    """What a lamp should be configured as that is told together with so many others: each change is reported."""
    return LevelNotice(spread_for(lamps, gateways=gateways, rates=rates), 0)


def spoilt(lamps: int, seconds: float, *, gateways: int = 2, rates: Mapping[int, float] = RATES, report: int = REPORT) -> float:
    """The share of reports (0 to 1) that are lost where so many lamps report within `seconds`, nothing else being on air."""
    total = sum(rates.values())
    per_s = 2 * _fatal(gateways) * lamps / (len(CHANNELS) * seconds)
    return sum(share / total * (1 - exp(-per_s * share / total * time_on_air(report, sf, crc=True)))
               for sf, share in rates.items())


def silence_after_s(spread: float) -> float:
    """Seconds after which silence means something: the lamp's random time is over, and its report would be here."""
    return spread + ANSWERED_S


def reports_within_s(config: Mapping[str, str], lamps: int, *, notices: bool, gateways: int = 2) -> float:
    """Within how many seconds a lamp that is told something together with so many others reports its new level: by its
    notice, as it has confirmed it in `config` or as it should have it; a model that gives no `notices` by its next status."""
    if notices:
        notice = _confirmed(config, LevelNotice(0, 0))
        return float(notice.random_seconds) if isinstance(notice, LevelNotice) else float(spread_for(lamps, gateways=gateways))
    interval = _confirmed(config, StatusInterval(60))
    return float(interval.seconds) if isinstance(interval, StatusInterval) else UNKNOWN_INTERVAL_S


def _confirmed(config: Mapping[str, str], like: Order) -> Order | None:
    said = config.get(kept_as(like))
    try:
        return None if said is None else from_json(said)
    except Invalid:
        return None


def _fatal(gateways: int) -> float:
    return FATAL / sqrt(min(max(gateways, 1), 4))


def _load(rates: Mapping[int, float], report: int) -> float:
    """Seconds on air of a frame's rivals of its own spreading factor, averaged over the frames."""
    total = sum(rates.values())
    return sum((share / total) ** 2 * time_on_air(report, sf, crc=True) for sf, share in rates.items())
