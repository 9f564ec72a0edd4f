"""How many bays will be free in the next hours (rule 13 in docs/parking.md). Pure.

The median of the last weeks' quarters at the same weekday and time (public holidays are Sundays) is what usually is; what is
different now loses weight by exp(-lead / decay). How far forecasts were off is kept, and bad ones are not shown. Weekday means
Europe/Berlin. Source of the method: Di Martino and Origlia, doi 10.3390/electronics9050838.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import exp
from statistics import fmean, median

from city.ids import ZoneId
from city.nights import BERLIN
from city.parking_facts import Count, Forecast, ForecastError, Quarter
from city.parking_stats import QUARTER
from city.settings import Parking

LEADS = (15, 30, 60, 120)  # minutes: those whose errors are kept
SUNDAY = 7
WEEK_QUARTERS = 7 * 96


@dataclass(frozen=True, slots=True)
class ForecastRules:
    """The numbers of forecasts; see city.settings.Parking."""

    weeks: int = 6
    least_weeks: int = 3
    decay: timedelta = timedelta(minutes=60)
    most_error: float = 0.15
    most_kept: timedelta = timedelta(days=28)  # forecasts older than this say nothing of today's
    horizon: timedelta = timedelta(hours=4)
    least_known: float = 0.6  # of a quarter's bay-time, for it to teach anything
    least_days: int = 2  # of the same weekday
    least_true: int = 96  # forecasts that must have come true before they alone say how good they are
    tried: timedelta = timedelta(days=7)  # … and else those that would have been made in so long

    @classmethod
    def of(cls, said: Parking) -> "ForecastRules":
        """As somebody has set them."""
        return cls(said.forecast_weeks, said.forecast_least_weeks, timedelta(minutes=said.forecast_decay_minutes),
                   said.forecast_error_percent / 100, timedelta(days=said.forecast_judged_days),
                   timedelta(hours=said.forecast_hours), said.forecast_known_percent / 100, said.forecast_least_days,
                   said.forecast_judged_least, timedelta(days=said.forecast_tried_days))


@dataclass(frozen=True, slots=True)
class Profile:
    """What usually is: the median share of free bays by weekday and quarter of the day, and how many weeks are behind it."""

    shares: Mapping[tuple[int, int], float]
    weeks: float
    holiday: Callable[[date], bool]

    def share(self, at: datetime) -> float | None:
        """The usual share of free bays, 0 to 1; None where too little is known."""
        return self.shares.get(_slot(at, self.holiday))


def profile(history: Iterable[Quarter], now: datetime, rules: ForecastRules, holiday: Callable[[date], bool]) -> Profile:
    """Learnt from the quarters of the last weeks of one zone's bays for everybody; `holiday` names the public holidays. The
    same for a whole day, so that nobody needs to learn it anew with each forecast."""
    since, seen = now - timedelta(weeks=rules.weeks), 0
    samples: dict[tuple[int, int], list[float]] = {}
    for one in history:
        share = _free_share(one, rules)
        if one.restriction == "" and since <= one.at <= now - QUARTER and share is not None:
            samples.setdefault(_slot(one.at, holiday), []).append(share)
            seen += 1
    usual = {slot: median(of) for slot, of in samples.items() if len(of) >= rules.least_days}
    return Profile(usual, seen / WEEK_QUARTERS, holiday)


def forecast(zone: ZoneId, usual: Profile, counted: Count | None, now: datetime, rules: ForecastRules,
             horizon: timedelta | None = None) -> list[Forecast]:
    """For each full quarter of an hour that comes within the horizon (None: that of the rules), as far as it is known what
    usually is; nothing without enough weeks of history. `counted`: the zone's bays for everybody now; too little known of
    them (or None) counts for nothing, but their number is needed."""
    if usual.weeks < rules.least_weeks or counted is None or not counted.total:
        return []
    here, unusual = usual.share(now), 0.0
    if here is not None and counted.coverage >= rules.least_known:
        unusual = counted.free / counted.known - here
    at, found = _next_quarter(now), []
    while at <= now + (rules.horizon if horizon is None else horizon):
        share, lead = usual.share(at), at - now
        if share is not None:
            free = min(max(share + exp(-(lead / rules.decay)) * unusual, 0.0), 1.0) * counted.total
            found.append(Forecast(zone, at, _lead_min(lead), round(free, 2), now))
        at += QUARTER
    return found


def came_true(made: Iterable[Forecast], history: Iterable[Quarter], rules: ForecastRules) -> list[Forecast]:
    """The forecasts whose time has come, with what then was: the mean of that quarter of an hour, where enough was known."""
    actual = {one.at: share * one.bays for one in history
              if one.restriction == "" and (share := _free_share(one, rules)) is not None}
    return [Forecast(one.zone, one.at, one.lead_min, one.free, one.made_at, round(actual[one.at], 2))
            for one in made if one.at in actual]


def errors(zone: ZoneId, true: Iterable[Forecast], total: int, weeks: float, now: datetime,
           rules: ForecastRules) -> ForecastError:
    """The mean absolute error for each of LEADS, of forecasts that have come true; they are shown only where there are enough
    weeks of history and no lead's error is above its share of `total` bays."""
    off: dict[int, list[float]] = {}
    for one in true:
        if one.actual is not None and one.at > now - rules.most_kept and one.lead_min in LEADS:
            off.setdefault(one.lead_min, []).append(abs(one.free - one.actual))
    mae = {str(lead): round(fmean(off[lead]), 2) for lead in LEADS if lead in off}
    good = bool(mae) and max(mae.values()) <= rules.most_error * total
    return ForecastError(zone, mae, sum(map(len, off.values())), round(weeks, 2), good and weeks >= rules.least_weeks, now)


def looked_back(zone: ZoneId, history: Sequence[Quarter], now: datetime, rules: ForecastRules,
                holiday: Callable[[date], bool]) -> list[Forecast]:
    """What forecasts of the last days would have been, from the quarters before these days, and what then was: how good they
    are is known as soon as there is history, not only when forecasts have come true."""
    usual = profile(history, now - rules.tried, rules, holiday)
    mine = {one.at: one for one in history if one.restriction == ""}
    made = []
    for at, one in mine.items():
        share = _free_share(one, rules)
        if at >= now - rules.tried and share is not None and usual.share(at) is not None:
            then = at + QUARTER  # when this quarter was over
            known = Count(one.bays, round(share * one.bays), one.bays - round(share * one.bays), "")
            made += [each for each in forecast(zone, usual, known, then - timedelta(seconds=1), rules,
                                               timedelta(minutes=LEADS[-1] + 1)) if each.lead_min in LEADS]
    return came_true(made, mine.values(), rules)


def _free_share(one: Quarter, rules: ForecastRules) -> float | None:
    """The share of known bay-time that was free, where enough was known."""
    known = one.free_s + one.occupied_s
    whole = known + one.unknown_s
    return one.free_s / known if whole and known / whole >= rules.least_known else None


def _slot(at: datetime, holiday: Callable[[date], bool]) -> tuple[int, int]:
    local = at.astimezone(BERLIN)
    return SUNDAY if holiday(local.date()) else local.isoweekday(), local.hour * 4 + local.minute // 15


def _next_quarter(now: datetime) -> datetime:
    seconds = round(QUARTER.total_seconds())
    return datetime.fromtimestamp((int(now.timestamp()) // seconds + 1) * seconds, now.tzinfo)


def _lead_min(lead: timedelta) -> int:
    """To the nearest quarter of an hour, so that errors can be told by lead; never less than one."""
    return max(round(lead / QUARTER), 1) * 15
