"""Tasks that a lamp keeps itself: what can be asked, and that it survives being written down."""

from datetime import date

import pytest

from city.errors import Invalid
from city.orders import DayTime, DimTask, DimWindow, ReadTask, RemoveTask, from_json, to_json

DAY = date(2026, 2, 10)
DUSK, DAWN = DayTime(-15, "sunset"), DayTime(15, "sunrise")
WINDOW = DimWindow(DUSK, DAWN, 60)


@pytest.mark.parametrize("order", [
    DimTask(1, DAY, (WINDOW,)),
    DimTask(-5, DAY, (WINDOW, DimWindow(DayTime(60), DayTime(240), 0)), date(2026, 2, 10), 5, "daily", (1, 7), 0, 17, True),
    DimTask(1, DAY, (WINDOW,), days="cycle", cycle=255),
    RemoveTask(7),
    ReadTask(19),
])
def test_a_task_survives_json(order):
    assert from_json(to_json(order)) == order


@pytest.mark.parametrize("make", [
    lambda: DayTime(1440),
    lambda: DayTime(-1),
    lambda: DayTime(61, "sunset"),
    lambda: DimWindow(DUSK, DUSK, 50),
    lambda: DimWindow(DUSK, DAWN, 101),
    lambda: DimTask(1, DAY, ()),
    lambda: DimTask(1, DAY, (WINDOW,) * 5),
    lambda: DimTask(2**31, DAY, (WINDOW,)),
    lambda: DimTask(1, DAY, (WINDOW,), date(2026, 2, 9)),
    lambda: DimTask(1, DAY, (WINDOW,), priority=0),
    lambda: DimTask(1, DAY, (WINDOW,), output=18),
    lambda: DimTask(1, DAY, (WINDOW,), days_off=(0,)),
    lambda: DimTask(1, DAY, (WINDOW,), days_off=(7, 1)),
    lambda: DimTask(1, DAY, (WINDOW,), days="odd", days_off=(1,)),
    lambda: DimTask(1, DAY, (WINDOW,), cycle=3),
    lambda: DimTask(1, DAY, (WINDOW,), days="cycle"),
    lambda: RemoveTask(1, 0),
    lambda: ReadTask(256),
])
def test_a_task_that_no_lamp_could_keep_is_invalid(make):
    with pytest.raises(Invalid):
        make()


@pytest.mark.parametrize("text", [
    '{"type":"DimTask","task":1,"first_day":"2026-02-30","windows":[]}',
    '{"type":"DimTask","task":1,"first_day":"2026-02-10","windows":[{"begin":{"minutes":0,"after":"noon"}}]}',
    '{"type":"DimTask","task":1,"first_day":"2026-02-10","days":"weekly","windows":[]}',
])
def test_json_that_is_no_task_is_invalid(text):
    with pytest.raises(Invalid):
        from_json(text)
