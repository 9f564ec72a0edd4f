"""What has changed in the memory, for the one who steers: which devices to look at, which commands have ended."""

from city.commands import Command
from city.ids import DevEui, TenantId
from city.quantities import BAY_OCCUPIED, DEVICE_BOOT, LAMP_LEVEL, LAMP_REASON
from city.readings import DeviceState, Lasts
from city.store.facts import MOST_CHANGES
from city.store.ports import Changes, Known

WAITED_FOR, _BOOT = (BAY_OCCUPIED.name, LAMP_LEVEL.name, LAMP_REASON.name), DEVICE_BOOT.name


class News:
    """`moved` are devices about which something may have to be decided anew, `ended` commands in the order of their coming,
    `registered` towns whose assets were changed, `missed` towns of which more has changed than was told. Whoever reads
    them empties them; all of it happens in one thread at a time."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """All of it has been read."""
        self.moved: dict[DevEui, None] = {}
        self.ended: list[Command] = []
        self.registered: set[TenantId] = set()
        self.missed: set[TenantId] = set()

    def kept(self, device: DevEui, before: Known, now: Known, *, differs: bool) -> None:
        """A device was heard, and what is waited for `differs` or not. One that has an order or an alarm is always looked
        at again."""
        if differs or now.live or now.alarms or before.live or _restarted(before.state.last, now.state.last):
            self.moved[device] = None

    def taken(self, changes: Changes) -> None:
        """Others have written, or other parts of this process."""
        self.moved.update((state.device, None) for state in changes.states)
        self.moved.update((command.device, None) for command in changes.commands)
        self.ended += [command for command in changes.commands if not command.state.live]
        if changes.assets:
            self.registered.update(asset.tenant for asset in changes.assets)
        if len(changes.commands) >= MOST_CHANGES:
            self.missed.add(changes.commands[0].tenant)


def differs(before: DeviceState, after: DeviceState) -> bool:
    """Whether a person looks for the difference, or what is to be told the device may depend on it."""
    if before.session != after.session or before.config != after.config or before.application_id != after.application_id:
        return True
    was, now = before.last, after.last
    if was.index is not now.index:
        return any(was.value(name) != now.value(name) for name in WAITED_FOR)
    index, old, new = was.index, was.values, now.values
    for name in WAITED_FOR:  # asked of every uplink
        number = index.get(name)
        if number is not None and old[number] != new[number]:
            return True
    return False


def _restarted(was: Lasts, now: Lasts) -> bool:
    return _BOOT in now.index and was.get(_BOOT) != now.get(_BOOT)
