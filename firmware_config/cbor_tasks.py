"""A lamp's task in the CBOR of a configuration."""

from datetime import date
from typing import Any, Literal

from city.orders import DayTime, DimTask, DimWindow
from decoders.devices._cbor_orders import between, items

_DAYS: tuple[Literal["daily", "odd", "even", "cycle"], ...] = ("daily", "odd", "even", "cycle")
_AFTER: tuple[Literal["midnight", "sunrise", "sunset"], ...] = ("midnight", "sunrise", "sunset")
_LAST_DAY = date(2099, 12, 31).toordinal()


def raw_task(order: DimTask) -> list[Any]:
    """The task as CBOR has it."""
    return [order.task, order.first_day.toordinal(), None if order.last_day is None else order.last_day.toordinal(),
            order.priority, _DAYS.index(order.days), sum(1 << day for day in order.days_off), order.cycle, order.output,
            [_raw_window(window) for window in order.windows]]


def task(raw: Any) -> DimTask:  # noqa: ANN401 - of any type until it has been looked at
    """Raises BadValue, Invalid."""
    number, first, last, priority, days, off, cycle, output, windows = items("task", raw, 9, 9)
    between("days off", off, 0, 255)
    return DimTask(
        between("task", number, -2**31, 2**31 - 1), _day(first), tuple(map(_window, items("windows", windows, 1, 4))),
        None if last is None else _day(last), between("priority", priority, 1, 5), _DAYS[between("days", days, 0, 3)],
        tuple(day for day in range(8) if off >> day & 1), between("cycle", cycle, 0, 255), between("output", output, 1, 17))


def _raw_window(window: DimWindow) -> list[int]:
    return [window.begin.minutes, _AFTER.index(window.begin.after), window.end.minutes, _AFTER.index(window.end.after),
            window.level]


def _window(raw: Any) -> DimWindow:  # noqa: ANN401
    begin, begin_after, end, end_after, level = items("window", raw, 5, 5)
    return DimWindow(_time(begin, begin_after), _time(end, end_after), between("level", level, 0, 100))


def _time(minutes: Any, after: Any) -> DayTime:  # noqa: ANN401
    return DayTime(between("minutes", minutes, -60, 1439), _AFTER[between("after", after, 0, 2)])


def _day(raw: Any) -> date:  # noqa: ANN401
    return date.fromordinal(between("day", raw, 1, _LAST_DAY))
