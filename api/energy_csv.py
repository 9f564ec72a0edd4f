"""The report as CSV: RFC 4180 with English headings for programs, or with semicolons, decimal commas and German headings for
the spreadsheets of German offices. No cell is taken for a formula."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from api.energy import BY, LABEL, name_of
from api.i18n import translate
from city.energy import LampNight
from city.energy_report import Line, Report
from city.exports.csv_tables import FORMULA
from city.factors import FactorKind


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


_HEADS = (("id", _("id")), ("name", _("Name")), ("lamps", _("Lamps")), ("used_kwh", _("used (kWh)")),
          ("metered_kwh", _("of it metered (kWh)")), ("estimated_kwh", _("of it estimated (kWh)")),
          ("undimmed_kwh", _("undimmed (kWh)")), ("saved_kwh", _("saved (kWh)")), ("burn_h", _("burning hours")),
          ("missing_h", _("hours without data")), ("co2_kg", _("CO₂ (kg)")), ("cost_eur", _("cost (€)")))
_MORE = (("month", _("Month")), ("co2_g_per_kwh", _("CO₂ figure (g/kWh)")), ("price_eur_per_kwh", _("Price (€/kWh)")),
         ("note", _("Note")))
_NIGHTS = (("night", _("Night")), ("asset", _("Lamp")), ("zone", _("Zone")), ("circuit", _("Circuit")),
           ("metered_wh", _("metered (Wh)")), ("estimated_wh", _("estimated (Wh)")),
           ("undimmed_wh", _("undimmed (Wh)")), ("burn_s", _("burnt (s)")), ("missing_s", _("without data (s)")),
           ("note", _("Note")))


def report_csv(report: Report, language: str) -> bytes:
    """All lines and their total. German: semicolons, decimal commas and a byte order mark, as spreadsheets there expect."""
    german = language == "de"
    more = [f"{report.month:%Y-%m}", _figures(report, FactorKind.CO2, german), _figures(report, FactorKind.PRICE, german),
            translate(language, LABEL)]
    rows = [[line.id, name_of(language, line), *_amounts(line, german), *more] for line in report.lines]
    total = [["", translate(language, "Total"), *_amounts(report.total, german), *more]]
    heads = [translate("de", head) if german else name for name, head in (*_HEADS, *_MORE)]
    heads[0] = f"{translate('de', BY[report.by])}" if german else report.by
    return written([heads, *rows, *total], german=german)


def nights_csv(nights: Iterable[Iterable[LampNight]], language: str) -> Iterator[bytes]:
    """Lamp by lamp and night by night, in whole watt-hours; a piece for each night."""
    german, note = language == "de", translate(language, LABEL)
    yield written([[translate("de", head) if german else name for name, head in _NIGHTS]], german=german)
    for lines in nights:
        yield written([[line.night.isoformat(), line.asset, line.zone, line.circuit or "", line.used.metered_wh,
                        line.used.estimated_wh, line.used.undimmed_wh, line.used.burn_s, line.used.missing_s, note]
                       for line in lines], german=german, begins=False)


def written(rows: Iterable[Sequence[object]], *, german: bool, begins: bool = True) -> bytes:
    """The bytes of a CSV file, or of its continuation."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";" if german else ",", lineterminator="\r\n")
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue().encode("utf-8-sig" if german and begins else "utf-8")


class _Number(str):
    """A number as it is written; it may begin with a minus."""

    __slots__ = ()


def _amounts(line: Line, german: bool) -> list[object]:
    def tenths(value: int) -> _Number:
        return _decimal(value, 1, german)

    return [line.lamps, tenths(line.used), tenths(line.metered), tenths(line.estimated), tenths(line.undimmed),
            tenths(line.saved), line.burn_h, line.missing_h, tenths(line.co2), _decimal(line.cents, 2, german)]


def _decimal(value: int, digits: int, german: bool) -> _Number:
    whole, part = divmod(abs(value), 10**digits)
    return _Number(f"{'-' if value < 0 else ''}{whole}{',' if german else '.'}{part:0{digits}}")


def _figures(report: Report, kind: FactorKind, german: bool) -> _Number:
    """All that held in the month."""
    said = " / ".join(f"{one.value:g}" for one in report.factors if one.kind is kind)
    return _Number(said.replace(".", ",") if german else said)


def _cell(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, _Number) and value.startswith(FORMULA):
        return f"'{value}"
    return value
