"""Figures (city.figures) as InfluxDB line protocol: which tags and fields a point has follows from the table. Pure."""

from collections.abc import Mapping

from city.figures import SHEETS
from city.quantities import Quantity
from city.store.lines import form, tag

Said = Mapping[Quantity, float | int | str | None]


def line(sheet: str, tags: Mapping[str, str], values: Said, at_ns: int) -> bytes | None:
    """One point of a sheet, dated `at_ns`, without a line end. Empty tags and values of None are left out, as are numbers that
    InfluxDB has no form for; None where no value is left. Raises ValueError where the sheet is none of the table, a tag is not
    the sheet's, or a quantity stands on another; TypeError where a value is not of its quantity's type."""
    if sheet not in SHEETS or not tags.keys() <= set(SHEETS[sheet].tags):
        raise ValueError(f"{', '.join(sorted(tags))}: no tags of a sheet {sheet!r}")
    fields = []
    for quantity, value in values.items():
        if quantity.measurement != sheet:
            raise ValueError(f"{quantity.name} is not on the sheet {sheet!r}")
        if value is not None and (written := form(quantity, _one_line(value))) is not None:
            fields.append(f"{quantity.field}={written}")
    if not fields:
        return None
    # sorted, as InfluxDB keeps them
    where = "".join(f",{name}={tag(value)}" for name, value in sorted(tags.items()) if value)
    return f"{sheet}{where} {','.join(fields)} {at_ns}".encode("utf-8", "replace")


def _one_line(value: float | str) -> float | str:
    """A line end would be lawful in a field, but whoever looks for a bad line would cut it in two."""
    return "".join(char if char.isprintable() else " " for char in value) if isinstance(value, str) else value
