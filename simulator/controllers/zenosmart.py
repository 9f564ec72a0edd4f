"""Zenosmart LCC, software 2.9.39, with its known weaknesses: its clock runs at half speed between two starts, and it loses
its tasks whenever it joins. It burns by its tasks, else at its fallback; a level by hand ends with a task's next step."""

from typing import TYPE_CHECKING, Any

from city.errors import CityError, Refused
from city.orders import DimTask, Order, ReadTask, RemoveTask, to_json
from city.quantities import DEVICE_CLOCK, DEVICE_ECHO, DEVICE_HEARTBEAT, DEVICE_REJECTED, LAMP_TASK
from decoders.codec import Codec, Frame
from simulator.controllers.firmware import Firmware, Said
from simulator.plan import Devices
from simulator.tasks import Tasks
from simulator.timetable import Sky

if TYPE_CHECKING:
    from simulator.lamp import Lamp

UP = 6  # FPort
LONGEST_S = 600  # it reports every one to ten minutes
TASK, FAILED = 0x86, 1  # header of a task's order; status of an answer
_SIGN_OF_LIFE: Said = ((UP, [DEVICE_HEARTBEAT(True)]),)


class Zenosmart(Firmware):
    """Tasks and signs of life; the bytes of its sensor data are not published, so it sends none."""

    clock_rate = 0.5
    notices = False
    meters_all = False
    ends_manual = True
    keeps_groups = False

    def intervals(self, setup: Devices) -> tuple[int, int]:
        return min(setup.status_interval_s, LONGEST_S), 0

    def memory(self, sky: Sky) -> Any:  # noqa: ANN401
        return Tasks(sky)

    def forgets(self, lamp: "Lamp") -> None:
        super().forgets(lamp)
        lamp.extra.slots.clear()

    def program(self, lamp: "Lamp") -> tuple[int, str]:
        level = lamp.extra.wanted(lamp.clock_ns())
        return (lamp.fallback, "fallback") if level is None else (level, "task")

    def next_change(self, lamp: "Lamp") -> int:
        coming: int = lamp.extra.next_change(lamp.clock_ns())
        return coming

    def status(self, lamp: "Lamp") -> Said:
        return _SIGN_OF_LIFE

    def obey(self, lamp: "Lamp", order: Order) -> None:
        """Raises Refused for a task that it cannot keep, or does not have."""
        match order:
            case DimTask():
                done = lamp.extra.put(order)
            case RemoveTask(task=task, output=output):
                done = lamp.extra.remove(task, output)
            case _:
                done = isinstance(order, ReadTask)
        if not done:
            raise Refused("This firmware does not do that.", field="order", rule="firmware")

    def taken(self, lamp: "Lamp", codec: Codec, frame: Frame, order: Order) -> Said:
        """It answers orders for tasks, and a question for a slot that holds one."""
        match order:
            case DimTask() | RemoveTask():
                return ((UP, [DEVICE_ECHO(codec.echo(frame)), DEVICE_CLOCK(lamp.clock_s())]),)
            case ReadTask(slot=slot) if slot < len(lamp.extra.slots):
                return ((UP, [LAMP_TASK(to_json(lamp.extra.slots[slot]).decode(), f"slot-{slot}")]),)
        return ()

    def refused(self, lamp: "Lamp", frame: Frame, error: CityError) -> Said:
        """Only a task's order that it understands has an answer."""
        if not isinstance(error, Refused) or frame.data[:1] != bytes([TASK]):
            return ()
        told = (frame.data[2:7] + frame.data[17:18]).hex()
        return ((UP, [DEVICE_REJECTED(f"{frame.port}:{FAILED:02x}{told}"), DEVICE_CLOCK(lamp.clock_s())]),)
