"""What still has to be said to a device so that it becomes what is wanted."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import structs

from city.errors import Invalid
from city.orders import (
    DimTask,
    Holidays,
    Order,
    Profile,
    ProfileStep,
    RemoveTask,
    Setting,
    from_json,
    kept_as,
    to_json,
)
from city.quantities import LAMP_TASK, Measurement
from firmware_config.profile import DeviceConfig

SILENT = (ProfileStep(0, None),)  # the steps of a profile that is not wanted any more


def delta(reported: Mapping[str, str], wanted: DeviceConfig) -> list[Setting]:
    """The settings in which `wanted` differs from what the device has confirmed, in the order of the fields; what is to be
    given up goes first, because it makes room.

    `reported` is `DeviceState.config`: a setting's name (`city.orders.kept_as`) and its order as JSON. What is None in
    `wanted` asks for nothing; what cannot be read in `reported` counts as not confirmed.
    """
    settings = wanted.settings()
    missing = [setting for setting in settings if _known(reported, kept_as(setting)) != setting]
    return [*_given_up(reported, wanted), *(_told(reported, setting) for setting in missing)]


def confirm(reported: Mapping[str, str], setting: Setting) -> dict[str, str]:
    """`reported` after the device has confirmed `setting`."""
    return {**reported, kept_as(setting): to_json(plain(setting)).decode()}


def obeyed(reported: Mapping[str, str], orders: Iterable[Order]) -> Mapping[str, str]:
    """`reported` after the device has obeyed orders; itself where none of them is a setting."""
    for order in orders:
        if isinstance(order, Setting):
            reported = confirm(reported, order)
    return reported


def read_back(reported: Mapping[str, str], said: Iterable[Measurement]) -> Mapping[str, str]:
    """`reported` after the device has itself told tasks that it holds: what it holds is what it says."""
    for item in said:
        if item.quantity is LAMP_TASK and isinstance(order := _read(str(item.value)), DimTask):
            reported = confirm(reported, order)
    return reported


def held(reported: Mapping[str, str]) -> dict[str, Order]:
    """What can be read of `reported`."""
    return {name: order for name in reported if (order := _known(reported, name)) is not None}


def _known(reported: Mapping[str, str], name: str) -> Order | None:
    said = reported.get(name)
    return None if said is None else _read(said)


def _read(said: str) -> Order | None:
    try:
        return plain(from_json(said))
    except Invalid:
        return None


def plain(order: Order) -> Order:
    """A task is the same whether it has taken another's place or not."""
    if isinstance(order, DimTask) and order.replaces:
        return structs.replace(order, replaces=False)
    return order


def _told(reported: Mapping[str, str], setting: Setting) -> Setting:
    """A task says whether there is one of its number already."""
    if isinstance(setting, DimTask) and isinstance(_known(reported, kept_as(setting)), DimTask):
        return structs.replace(setting, replaces=True)
    return setting


def _given_up(reported: Mapping[str, str], wanted: DeviceConfig) -> Iterator[Setting]:
    names = {kept_as(setting) for setting in wanted.settings()}
    for order in _others(reported, names):
        match order:
            case DimTask(task=task, output=output) if wanted.tasks is not None:
                yield RemoveTask(task, output)
            case Profile(steps=steps) if wanted.profiles is not None and steps != SILENT:
                yield structs.replace(order, steps=SILENT)
            case Holidays(days=days) if wanted.profiles is not None and wanted.holidays is None and days:
                yield Holidays(())


def _others(reported: Mapping[str, str], names: set[str]) -> Iterable[Order | None]:
    return (_known(reported, name) for name in sorted(reported) if name not in names)
