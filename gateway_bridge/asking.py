"""Which of the tasks that a lamp's controller shall hold it is asked to tell, so that what it holds is compared with what is
wanted. Pure.

It tells them by slot, one at a time: after it was told a task, and once a day at a time of its own. What it tells takes the
place of what it had confirmed (firmware_config.delta.read_back), and so is repaired. Nothing is asked while it is being told.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from zlib import crc32

from city.commands import Command, Priority, command
from city.errors import Invalid
from city.ids import AssetId, DevEui
from city.orders import DimTask, ReadTask, from_json, to_json
from city.quantities import DEVICE_ECHO, LAMP_TASK
from city.readings import DeviceState
from gateway_bridge.towns import Essence, Town

READ_BACK = "read-back"  # origin of such a question
UNANSWERED = timedelta(hours=24)  # before a slot that did not answer is asked again
_TASKS = f"{DimTask.__name__}:"
_DAY_S = 86_400


def to_be_asked(town: Town, device: DevEui, state: DeviceState, now: datetime) -> ReadTask | None:
    """The next slot to ask for; None where all have told since the device was told anything, and since its time of day."""
    slots = range(len(_confirmed(state)))
    since = _asked_since(device, state, now)
    return next((order for order in map(ReadTask, slots) if not _told_since(state, order.slot, since)
                 and not _gave_up(town.failed, device, order)), None)


def held(state: DeviceState, failed: Mapping[Essence, datetime], device: DevEui, now: datetime) -> Mapping[str, str]:
    """What the device holds as far as it is known: without tasks that it has confirmed once, and that lie in none of the slots
    which it has told since. A slot that answers nothing tells that there is none, once another slot has answered."""
    tasks = _confirmed(state)
    if not tasks:
        return state.config
    since = _asked_since(device, state, now)
    told = [slot for slot in range(len(tasks)) if _told_since(state, slot, since)]
    if not told or any(slot not in told and not _gave_up(failed, device, ReadTask(slot)) for slot in range(len(tasks))):
        return state.config
    there = {f"{_TASKS}{task}" for task in _numbers(state, told)}
    lost = [name for name in tasks if name not in there]
    return {name: text for name, text in state.config.items() if name not in lost} if lost else state.config


def question(town: Town, device: DevEui, asset: AssetId, order: ReadTask, now: datetime, lasts: timedelta) -> Command:
    """The command that asks."""
    return command(tenant=town.tenant.id, device=device, asset=asset, order=order, origin=READ_BACK, priority=Priority.CONFIG,
                   now=now, expires_at=now + lasts)


def _confirmed(state: DeviceState) -> list[str]:
    """The names of the tasks that it has confirmed, or told; of one that was removed its removal is kept."""
    return [name for name, text in state.config.items() if name.startswith(_TASKS) and '"DimTask"' in text]


def _asked_since(device: DevEui, state: DeviceState, now: datetime) -> datetime:
    """What a slot has told before this is old: the device's time of the day, or its last answer to a task."""
    begin = datetime.combine(now.astimezone(UTC).date(), time(), UTC) + timedelta(seconds=crc32(device.encode()) % _DAY_S)
    today = begin if begin <= now else begin - timedelta(days=1)
    answered = state.at(DEVICE_ECHO)
    return today if answered is None else max(today, answered)


def _told_since(state: DeviceState, slot: int, since: datetime) -> bool:
    at = state.at(LAMP_TASK, f"slot-{slot}")
    return at is not None and at > since


def _gave_up(failed: Mapping[Essence, datetime], device: DevEui, order: ReadTask) -> bool:
    return (device, READ_BACK, to_json(order)) in failed


def _numbers(state: DeviceState, slots: Iterable[int]) -> Iterator[int]:
    """The tasks that these slots have told."""
    for slot in slots:
        try:
            order = from_json(str(state.value(LAMP_TASK, f"slot-{slot}")))
        except Invalid:
            continue
        if isinstance(order, DimTask):
            yield order.task
