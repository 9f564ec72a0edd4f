"""What still has to be said to a device so that it becomes what is wanted."""

from collections.abc import Mapping

from city.errors import Invalid
from city.orders import Setting, from_json, to_json
from firmware_config.profile import DeviceConfig


def delta(reported: Mapping[str, str], wanted: DeviceConfig) -> list[Setting]:
    """The settings in which `wanted` differs from what the device has confirmed, in the order of the fields.

    `reported` is `DeviceState.config`: a setting's name and its order as JSON. What is None in `wanted` asks for
    nothing; what cannot be read in `reported` counts as not confirmed.
    """
    return [setting for setting in wanted.settings() if not _confirmed(reported, setting)]


def confirm(reported: Mapping[str, str], setting: Setting) -> dict[str, str]:
    """`reported` after the device has confirmed `setting`."""
    return {**reported, type(setting).__name__: to_json(setting).decode()}


def _confirmed(reported: Mapping[str, str], setting: Setting) -> bool:
    said = reported.get(type(setting).__name__)
    if said is None:
        return False
    try:
        return from_json(said) == setting
    except Invalid:
        return False
