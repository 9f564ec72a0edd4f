"""What was measured, as Markdown: what was asked and is met or not, then all figures."""

from collections.abc import Iterator, Sequence

from bench._dimming.measure import Dimmed
from city.airtime import DUTY_CYCLE, HOUR_S
from city.casting import LIKELY, LOOKS_S

AIM_LOSS, OBEY_S, MOST_KNOWN_S, ALL_KNOWN_S, OFF = 0.05, 30.0, 300.0, 900.0, 0.20
SHARES = (0.5, 0.99, 0.999, 1.0)


def page(found: Sequence[Dimmed]) -> str:
    """All of it."""
    return "\n".join([*_asked(found), *_times(found), *_cost(found), *_shares(found), "", *_learnt(found)])


def failures(found: Sequence[Dimmed]) -> list[str]:
    """What was asked and is not met."""
    return [what for what, _, _, met in _rows(found) if not met]


def _asked(found: Sequence[Dimmed]) -> Iterator[str]:
    yield "| asked | aim | measured | met |"
    yield "|---|---|---|---|"
    for what, aim, measured, met in _rows(found):
        yield f"| {what} | {aim} | {measured} | {'yes' if met else '**no**'} |"
    yield ""


def _rows(found: Sequence[Dimmed]) -> Iterator[tuple[str, str, str, bool]]:
    for one in (one for one in found if one.case.groups and one.case.loss == AIM_LOSS):
        yield _within("99.9 % of the lamps obey, 5 % of downlinks lost", one.within(0.999), OBEY_S)
        yield _within("99 % are known to obey", one.within(0.99, known=True), MOST_KNOWN_S)
        yield _within("99.9 % are known to obey", one.within(0.999, known=True), ALL_KNOWN_S)
    most = max(found, key=lambda one: one.busiest_s)
    yield ("most that a gateway was on the air within an hour", f"≤ {HOUR_S * DUTY_CYCLE:.0f} s", f"{most.busiest_s:.1f} s",
           most.busiest_s <= HOUR_S * DUTY_CYCLE)
    for one in (one for one in found if one.case.groups):
        off = _error(one)
        yield (f"estimate of the last lamp, {one.case.loss:.0%} lost", "± 20 %", "never obeyed by all" if off is None else
               f"{off:+.0%}", off is not None and abs(off) <= OFF)
    dims = [dim for one in found if one.case.groups for dim in (one.before, one) if dim is not None]
    inside = sum(_inside(one) for one in dims)
    if dims:
        yield "all lamps obey within the time that was reckoned to be probable", "9 of 10 dims", f"{inside} of {len(dims)}", \
            inside >= LIKELY * len(dims)


def _within(what: str, seconds: float | None, aim: float) -> tuple[str, str, str, bool]:
    return what, f"≤ {_time(aim)}", _time(seconds), seconds is not None and seconds <= aim


def _times(found: Sequence[Dimmed]) -> Iterator[str]:
    yield "| downlinks lost | way | estimate | obey: 50 % | 99 % | 99.9 % | all | known: 50 % | 99 % | 99.9 % | all |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for one in found:
        obeyed = " | ".join(_time(one.within(share)) for share in SHARES)
        known = " | ".join(_time(one.within(share, known=True)) for share in SHARES)
        yield f"| {_name(one)} | {_time(one.estimate.last_s)} | {obeyed} | {known} |"
    yield ""


def _cost(found: Sequence[Dimmed]) -> Iterator[str]:
    yield ("| downlinks lost | way | frames to groups | single | refused | airtime of each gateway, s | of its hour, the busiest "
           "| uplinks lost meanwhile |")
    yield "|---|---|---|---|---|---|---|---|"
    for one in found:
        airtime = " · ".join(f"{seconds:.1f}" for seconds in one.airtime_s)
        lost = one.lost_uplinks / one.uplinks if one.uplinks else 0.0
        yield (f"| {_name(one)} | {one.group_frames} | {one.single_frames} | {one.refused} | {airtime} | {one.budget_share:.1%} "
               f"| {lost:.1%} of {one.uplinks} |")
    yield ""


def _shares(found: Sequence[Dimmed]) -> Iterator[str]:
    yield "| downlinks lost | obey after the first frame | after the first round | after all rounds | after single messages |"
    yield "|---|---|---|---|---|"
    for one in (one for one in found if one.case.groups):
        after = " | ".join(f"{one.share_at(at + 0.01):.2%}" for at in (one.first_s, one.round_s, one.repeats_s, one.ended_s))
        yield f"| {one.case.loss:.0%} | {after} |"


def _learnt(found: Sequence[Dimmed]) -> Iterator[str]:
    yield "| downlinks lost | told by groups | loss as learnt | estimate | probably | all obey | off |"
    yield "|---|---|---|---|---|---|---|"
    for last in (one for one in found if one.case.groups):
        for what, one in (("first dim", last.before), ("second dim", last)):
            if one is not None:
                off = _error(one)
                yield (f"| {last.case.loss:.0%} | {what if last.before else 'only dim'} | {one.estimate.loss:.1%} "
                       f"| {_time(one.estimate.last_s)} | {_time(one.estimate.soonest_s)} to {_time(one.estimate.latest_s)} "
                       f"| {_time(one.within(1.0))} | {'–' if off is None else f'{off:+.0%}'} |")


def _name(one: Dimmed) -> str:
    return f"{one.case.loss:.0%} | {'multicast' if one.case.groups else 'single messages'}"


def _inside(one: Dimmed) -> bool:
    """Whether the last lamp obeyed when it probably would; a look of the bridge earlier or later is the same."""
    real = one.within(1.0)
    return real is not None and one.estimate.soonest_s - LOOKS_S <= real <= one.estimate.latest_s + LOOKS_S


def _error(one: Dimmed) -> float | None:
    """By how much the estimate was too long (or short) for the moment at which probably no lamp was left."""
    real = one.within(1.0)
    return None if real is None else one.estimate.last_s / real - 1


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.1f} min"
