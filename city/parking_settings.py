"""The numbers of parking: what is believed of bays and zones, what everybody may know of it, and how long anything is kept.

Sources of the defaults, rule by rule: docs/parking.md and docs/privacy.md. The section `parking` of city.settings.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from city.errors import Invalid
from city.setting import setting

FINEST_MIN = 15  # nothing public is finer than this in time, whatever is set (docs/privacy.md)
LEAST_BAYS = 3  # fewer bays in a number would tell of single ones, whatever is set


@dataclass(frozen=True, slots=True)
class Parking:
    """Occupancy of bays and zones, what of it everybody may know, and for how long anything of it is kept."""

    # how often
    evaluate_s: int = setting(5, "seconds between two looks at what sensors have said", 1, 300)
    publish_s: int = setting(60, "every zone is evaluated anew when so many seconds of the day are over, though nothing has "
                             "changed", 10, 900)
    # bays
    debounce_s: int = setting(30, "a change is shown when it has held for so long (30 to 60 s hide manoeuvring)", 0, 600)
    shortest_stay_s: int = setting(180, "a shorter stay is no stay in statistics", 0, 3600)
    flaps: int = setting(6, "more changes than these …", 1, 60)
    flap_minutes: int = setting(10, "… within so many minutes, and the bay is not known", 1, 1440)
    learning_edges: int = setting(10, "changes after a restart until a sensor has learnt its place", 0, 1000)
    grace_minutes: int = setting(60, "how much later than due a sign of life may come", 0, 1440)
    stale_beats: float = setting(1.0, "signs of life that may be missing until a bay is not known …", 0.1, 30)
    gone_beats: float = setting(2.0, "… and until its sensor is out of service", 0.1, 60)
    coverage_starts: int = setting(3, "restarts for want of an answer that are a fault of radio coverage …", 1, 30)
    coverage_hours: int = setting(24, "… within so many hours", 1, 48)
    repair_hours: int = setting(48, "a sensor's own word on how long the last state lasted is used up to so many hours", 0, 336)
    own_clock_minutes: float = setting(2.0, "by how much that word and the network's times may differ", 0, 60)
    sharp_minutes: float = setting(5.0, "a lost change whose time is known so well still ends a stay for statistics", 0, 60)
    # sensors, compared with their zones
    stuck_hours: int = setting(72, "a bay occupied or free for longer is suspect where its zone turns over …", 1, 720)
    stuck_turnover: float = setting(1.0, "… more often than so many stays a bay and day", 0, 100)
    stuck_least_hours: int = setting(12, "… and before that, but not sooner than this, …", 1, 720)
    stuck_times: float = setting(1.5, "… where it is for so many times longer than ever any other bay of the zone …", 1, 100)
    stuck_states: int = setting(150, "… of which so many stays and vacancies have ended", 1, 100_000)
    restless_changes: float = setting(24.0, "a sensor that changes more often a day than this is suspect …", 1, 10_000)
    restless_times: float = setting(4.0, "… where the others of its zone change so many times less", 1, 1000)
    suspect_days: int = setting(7, "days over which sensors are compared", 1, 31)
    suspect_bays: int = setting(4, "comparable bays without which nobody is suspect", 2, 1000)
    suspect_known_hours: int = setting(48, "hours that a bay must have been known to be compared", 1, 744)
    # the health of sensors
    health_days: int = setting(7, "days of a sensor's health that are looked at", 1, 90)
    missed_percent: float = setting(5.0, "share of changes missed from which it is told", 0, 100)
    lost_percent: float = setting(10.0, "share of frames lost from which it is told", 0, 100)
    share_least: int = setting(20, "fewer changes or frames tell of no share", 1, 10_000)
    battery_percent: float = setting(20.0, "per cent below which a battery is told as low", 0, 100)
    # zones
    number_percent: int = setting(90, "share of bays that must be known for a number …", 1, 100)
    range_percent: int = setting(60, "… and for a range; below it nothing is told", 1, 100)
    least_bays: int = setting(5, "fewer comparable bays are told as a word only", LEAST_BAYS, 1000)
    many_percent: int = setting(30, "more free bays than this share are “many”", 1, 99)
    full_up_to: int = setting(1, "so many free bays and fewer are “full”", 0, 100)
    word_margin: int = setting(1, "by how many bays a count must be beyond its limit …", 0, 100)
    word_hold_s: int = setting(120, "… and for how long, until its class of display changes", 0, 3600)
    trend_minutes: int = setting(30, "time over which a zone's trend is told; two thirds of it must be known", 10, 240)
    trend_percent: float = setting(8.0, "a zone rises or falls when so much of its bays …", 0, 100)
    trend_bays: int = setting(2, "… and so many of them have become free or taken", 1, 100)
    grey_minutes: int = setting(5, "older evaluations are shown as old …", 1, 1440)
    hide_minutes: int = setting(30, "… and not at all", 1, 1440)
    history_minutes: int = setting(15, "nothing public is finer than this in time: a multiple of 15", FINEST_MIN, 1440)
    # forecasts
    forecast_weeks: int = setting(6, "weeks of history behind a forecast", 1, 104)
    forecast_least_weeks: int = setting(3, "weeks of history without which there is none", 1, 104)
    forecast_least_days: int = setting(2, "the same quarter of an hour of so many such weekdays must be known", 1, 104)
    forecast_known_percent: int = setting(60, "share of a quarter's bay-time that must be known for it to teach anything", 1, 100)
    forecast_decay_minutes: int = setting(60, "time in which the present loses weight in a forecast (to 1/e)", 1, 1440)
    forecast_hours: int = setting(4, "hours ahead that are forecast", 1, 24)
    forecast_error_percent: int = setting(15, "forecasts that were off by more than this share of the bays are not shown", 0, 100)
    forecast_judged_days: int = setting(28, "days of forecasts that came true or did not, by which they are judged …", 1, 365)
    forecast_judged_least: int = setting(96, "… where they are at least so many; else by what they would have been …", 1, 100_000)
    forecast_tried_days: int = setting(7, "… in so many days", 1, 31)
    # reception
    fails_days: float = setting(7.0, "a gateway is taken to fail once in so many days …", 0.1, 3650)
    fails_minutes: float = setting(60.0, "… for so many minutes in the mean", 1, 10_080)
    silent_percent: float = setting(90.0, "chance that a gateway is down from which what it alone hears is not known", 50, 99.99)
    outage_doubt_percent: int = setting(25, "chance that a bay changed unheard in an outage, above which it is not known", 0, 100)
    # how far a number may be off
    off_bays: int = setting(2, "a number may be off by so many bays …", 0, 100)
    off_percent: float = setting(5.0, "… and by more because words were lost with this chance; else a range is told", 0.1, 100)
    off_unheard_percent: float = setting(0.02, "… and because a gateway has failed with this one", 0.01, 100)
    # residents' reports, and the checks of sensors that they start
    reports_each: int = setting(5, "reports an hour from one neighbourhood of addresses (/24, /48) …", 1, 1000)
    reports_town: int = setting(200, "… and from all about one town's zones", 1, 100_000)
    check_joins_minutes: int = setting(30, "reports on a zone within this time share a check", 0, 1440)
    check_fresh_hours: int = setting(24, "older reports start none", 1, 144)
    checks_zone: int = setting(3, "checks of a zone that run at a time …", 1, 100)
    checks_town: int = setting(200, "… and of a town", 1, 10_000)
    check_late_minutes: int = setting(15, "how late a word may come: heard by another bridge, or held by a broker", 0, 1440)
    check_shown_minutes: int = setting(5, "so soon after a report a bay's present state is the one that was shown", 0, 60)
    check_hours: int = setting(144, "a check ends after so long, and before what sensors said is forgotten", 1, 720)
    # permit zones
    pressure_full_percent: int = setting(95, "a quarter of an hour in which more of a permit zone's bays were taken was full",
                                         1, 100)
    pressure_known_percent: int = setting(60, "share of its bay-time that must be known, else it is left out", 1, 100)
    # how long anything is kept
    raw_days: int = setting(7, "days that single words of sensors are kept, in the log and the databases", 1, 31)
    stays_days: int = setting(30, "days that single stays are kept, without their bay", 1, 366)
    sensor_days: int = setting(90, "days that the health of single sensors is kept, a line a day", 1, 1830)
    doubt_days: int = setting(90, "days that residents' doubts are kept", 1, 1830)
    quarter_days: int = setting(1830, "days that a zone's quarter hours are kept; 0: for ever", 0, 36_600)
    report_days: int = setting(400, "days that reports of what was removed are kept", 30, 3660)


def check(said: Parking) -> None:
    """Raises Invalid where settings contradict one another."""
    for field, wrong in _contradictions(said):
        if wrong is not None:
            low, high, most = wrong
            raise Invalid("The setting “{name}” must not be above “{other}”: it would be {low}, and that {high}.",
                          field=f"parking.{field}", rule=f"≤ {most}", name=f"parking.{field}", other=f"parking.{most}",
                          low=f"{low:g}", high=f"{high:g}")
    if said.history_minutes % FINEST_MIN:
        raise Invalid("The setting “{name}” is a multiple of {step}, not {value}.", field="parking.history_minutes",
                      rule=f"× {FINEST_MIN}", name="parking.history_minutes", step=FINEST_MIN, value=said.history_minutes)


_Wrong = tuple[float, float, str] | None


def _contradictions(said: Parking) -> Iterator[tuple[str, _Wrong]]:
    """What must not be above what, in the units of the second where they differ."""
    yield "evaluate_s", _above(said.evaluate_s, said.publish_s, "publish_s")
    yield "publish_s", _above(said.publish_s / 60, said.grey_minutes, "grey_minutes")
    yield "grey_minutes", _above(said.grey_minutes, said.hide_minutes, "hide_minutes")
    yield "debounce_s", _above(said.debounce_s, said.shortest_stay_s, "shortest_stay_s")
    yield "stale_beats", _above(said.stale_beats, said.gone_beats, "gone_beats")
    yield "stuck_least_hours", _above(said.stuck_least_hours, said.stuck_hours, "stuck_hours")
    yield "stuck_hours", _above(said.stuck_hours / 24, said.suspect_days, "suspect_days")
    yield "suspect_known_hours", _above(said.suspect_known_hours / 24, said.suspect_days, "suspect_days")
    yield "suspect_days", _above(said.suspect_days, said.raw_days, "raw_days")
    yield "repair_hours", _above(said.repair_hours / 24, said.raw_days, "raw_days")
    yield "health_days", _above(said.health_days, said.sensor_days, "sensor_days")
    yield "range_percent", _above(said.range_percent, said.number_percent, "number_percent")
    yield "forecast_least_weeks", _above(said.forecast_least_weeks, said.forecast_weeks, "forecast_weeks")
    yield "forecast_least_days", _above(said.forecast_least_days, said.forecast_weeks, "forecast_weeks")
    yield "forecast_judged_days", _above(said.forecast_judged_days / 7, said.forecast_weeks, "forecast_weeks")
    yield "raw_days", _above(said.raw_days, said.stays_days, "stays_days")
    if said.quarter_days:
        yield "forecast_weeks", _above(said.forecast_weeks * 7, said.quarter_days, "quarter_days")


def _above(low: float, high: float, most: str) -> _Wrong:
    return (low, high, most) if low > high else None
