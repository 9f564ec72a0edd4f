"""Quantities that a query works out and nobody stores: shares and differences. Rows like those of city.quantities, so that panels
take name, unit, range and thresholds from them alike."""

from collections.abc import Iterator

from city.quantities import Kind, Quantity

_TABLE: list[Quantity] = []


def _row(name: str, unit: str, help: str, low: float | None = 0, high: float | None = None, *, kind: Kind = Kind.FLOAT,
         warn: float | None = None, bad: float | None = None) -> Quantity:
    _TABLE.append(Quantity(name, unit, kind, help, low, high, warn=warn, bad=bad))
    return _TABLE[-1]


ENERGY_SAVED = _row("energy.saved", "W.h", "what dimming saved: undimmed less used", None)
ENERGY_SAVING = _row("energy.saving", "%", "the same as a share of undimmed", None, 100)
ENERGY_AGAINST = _row("energy.against", "%", "energy used of what was expected, in nights that are over")
ENERGY_METERED_SHARE = _row("energy.metered_share", "%", "metered part of the energy used", 0, 100, warn=90, bad=50)
ENERGY_MISSING_HOURS = _row("energy.missing_hours", "h", "energy.missing in hours: Grafana would make weeks of seconds")
LAMP_ENERGY_GAIN = _row("lamp.energy_gain", "W.h", "increase of the meters in the lamps")
PARKING_OCCUPANCY = _row("parking.occupancy", "%", "taken bays of those that are known", 0, 100)
GATEWAY_MISSED_SHARE = _row("gateway.missed_share", "%", "missed frames of all that were sent", 0, 100, warn=5, bad=20)
RAW_VALUE = _row("raw.value", "", "anything that a town's own script says and nobody has mapped, under the script's name", None)
FRAME_PORT = _row("frame.port", "", "FPort of an uplink", 0, 255, kind=Kind.INT)
FRAME_HEX = _row("frame.hex", "", "an uplink's bytes, as hex", None, kind=Kind.TEXT)
FRAME_FCNT = _row("frame.fcnt", "", "the uplink's counter", kind=Kind.INT)


def derived() -> Iterator[Quantity]:
    """All rows."""
    return iter(_TABLE)
