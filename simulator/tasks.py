"""A lamp's program as tasks: windows by the clock and the sun on some days (city.orders.DimTask), up to twenty of them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from city.orders import DayTime, DimTask
from city.readings import NS, from_ns, to_ns
from simulator.timetable import DAY, Sky

SLOTS = 20
MINUTE_NS = 60 * NS
_LIGHT = 1  # the output that is the light level
_LOOK_AGAIN_NS = 6 * 3600 * NS


class Tasks:
    """What a controller holds, by slot. Where windows meet, the smaller priority goes first, then the newer task."""

    __slots__ = ("_sky", "slots")

    def __init__(self, sky: Sky) -> None:
        self._sky = sky
        self.slots: list[DimTask] = []

    def put(self, task: DimTask) -> bool:
        """Keep a task; whether that was possible: a new number must be new, a replaced one known, and there is an end."""
        held = self._index(task.task, task.output)
        if task.replaces != (held is not None) or (held is None and len(self.slots) >= SLOTS):
            return False
        if held is None:
            self.slots.append(task)
        else:
            self.slots[held] = task
        return True

    def remove(self, task: int, output: int) -> bool:
        """Forget a task; whether it was there."""
        held = self._index(task, output)
        if held is None:
            return False
        del self.slots[held]
        return True

    def wanted(self, now_ns: int) -> int | None:
        """The level that the tasks want now; None where none has a window."""
        inside = [(task.priority, -index, level) for index, task in enumerate(self.slots)
                  for begin, end, level in self._windows(task, from_ns(now_ns).date()) if begin <= now_ns < end]
        return min(inside)[2] if inside else None

    def next_change(self, now_ns: int) -> int:
        """When to look again, ns."""
        edges = (edge for task in self.slots for begin, end, _ in self._windows(task, from_ns(now_ns).date())
                 for edge in (begin, end) if edge > now_ns)
        return min(edges, default=now_ns + _LOOK_AGAIN_NS)

    def _index(self, number: int, output: int) -> int | None:
        return next((index for index, one in enumerate(self.slots) if (one.task, one.output) == (number, output)), None)

    def _windows(self, task: DimTask, today: date) -> Iterator[tuple[int, int, int]]:
        """Begin, end and level of its windows of yesterday, today and tomorrow; one that passes midnight ends a day later."""
        if task.output != _LIGHT:
            return
        for day in (today - DAY, today, today + DAY):
            if _runs(task, day):
                for window in task.windows:
                    begin, end = self._at(window.begin, day), self._at(window.end, day)
                    yield begin, end if end > begin else self._at(window.end, day + DAY), window.level

    def _at(self, when: DayTime, day: date) -> int:
        """A time of a day, ns (UTC)."""
        if when.after == "midnight":
            return to_ns(datetime.combine(day, time(0), UTC) + timedelta(minutes=when.minutes))
        level = 0 if when.after == "sunrise" else 100
        event = next(change[0] for change in self._sky.changes(day, None) if change[1] == level)
        return event + when.minutes * MINUTE_NS


def _runs(task: DimTask, day: date) -> bool:
    if day < task.first_day or (task.last_day is not None and day > task.last_day):
        return False
    match task.days:
        case "odd" | "even":
            return day.day % 2 == (task.days == "odd")
        case "cycle":
            return (day - task.first_day).days % task.cycle == 0
    return day.isoweekday() not in task.days_off
