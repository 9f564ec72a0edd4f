"""Forms of parking zones, permit zones and the town: what a person has typed, kept as it is, and what it means."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec
from starlette.datastructures import FormData

from city.errors import Invalid
from city.parking_places import ParkingSite, PermitFee, PermitZone, Ring, SiteRule, TownParking
from city.parking_shapes import MAX_TEXT, ring_of_text, text_of

SITE_TEXTS = ("kind", "merged_into", "address", "orientation", "opening_hours", "fee", "fee_en", "note", "note_en", "permit_zone",
              "osm", "url")
PERMIT_TEXTS = ("name", "hours", "application_url", "note", "note_en")
TOWN_TEXTS = tuple(name for name in TownParking.__struct_fields__ if name != "special_public")
MOST_ROWS = 61  # one more than any of them may have, so that too many are refused and not cut off
EMPTY_ROWS = 2
MAX_TYPED = 600
_NO_RULE = "none"


@dataclass(frozen=True, slots=True)
class Typed:
    """`texts` by field (`area` is GeoJSON), `ticks` are the boxes that are ticked, `rows` those of the table of rules or fees."""

    texts: Mapping[str, str] = field(default_factory=dict)
    ticks: frozenset[str] = frozenset()
    rows: tuple[Mapping[str, str], ...] = ()

    def shown_rows(self, most: int) -> list[Mapping[str, str]]:
        """The rows, and empty ones to fill in."""
        return [*self.rows, *({} for _ in range(min(EMPTY_ROWS, max(most - len(self.rows), 0))))]


# -- a parking zone

def site_form(site: ParkingSite) -> Typed:
    """A site in the form."""
    rows = tuple({"kind": rule.kind or "all", "hours": rule.hours, "stay": str(rule.max_stay_min or ""), "fee": _tick(rule.fee),
                  "disc": _tick(rule.disc)} for rule in site.rules)
    return Typed({**{name: getattr(site, name) for name in SITE_TEXTS}, "area": text_of(site.area)},
                 frozenset({"public"} if site.public else ()), rows)


def typed_site(data: FormData) -> Typed:
    """The form as it came; rows without a rule are left out."""
    rows = [row for row in _rows(data, "rule", ("kind", "hours", "stay", "fee", "disc")) if row["kind"] not in ("", _NO_RULE)]
    return Typed({**_texts(data, SITE_TEXTS), "area": _text(data, "area", MAX_TEXT + 1)}, _ticks(data, "public"), tuple(rows))


def site_meant(zone: str, typed: Typed) -> tuple[ParkingSite | None, list[Invalid]]:
    """The site that a form means, or what in it cannot be read."""
    wrong: list[Invalid] = []
    area = _area(typed, wrong)
    rules = [SiteRule("" if row["kind"] == "all" else row["kind"], row["hours"],
                      _whole(row["stay"], f"rules.{n}.max_stay_min", wrong), bool(row["fee"]), bool(row["disc"]))
             for n, row in enumerate(typed.rows)]
    values: dict[str, Any] = {name: typed.texts[name] for name in SITE_TEXTS}
    site = ParkingSite(zone, public="public" in typed.ticks, area=area, rules=tuple(rules), **values)
    return (None if wrong else site), wrong


# -- a permit zone

def permit_form(zone: PermitZone) -> Typed:
    """A permit zone in the form, the newest fees first."""
    fees = sorted(zone.fees, key=lambda fee: (-fee.valid_from.toordinal(), fee.months))
    rows = tuple({"valid_from": fee.valid_from.isoformat(), "months": str(fee.months),
                  "euro": f"{fee.euro:.2f}".replace(".", ",")} for fee in fees)
    return Typed({**{name: getattr(zone, name) for name in PERMIT_TEXTS}, "area": text_of(zone.area)}, rows=rows)


def typed_permit(data: FormData) -> Typed:
    """The form as it came; empty rows are left out."""
    rows = [row for row in _rows(data, "fee", ("valid_from", "months", "euro")) if any(row.values())]
    return Typed({**_texts(data, PERMIT_TEXTS), "area": _text(data, "area", MAX_TEXT + 1)}, rows=tuple(rows))


def permit_meant(code: str, typed: Typed) -> tuple[PermitZone | None, list[Invalid]]:
    """The permit zone that a form means, or what in it cannot be read."""
    wrong: list[Invalid] = []
    area = _area(typed, wrong)
    fees = [PermitFee(_day(row["valid_from"], f"fees.{n}.valid_from", wrong), _whole(row["months"], f"fees.{n}.months", wrong),
                      _euro(row["euro"], f"fees.{n}.euro", wrong)) for n, row in enumerate(typed.rows)]
    values: dict[str, Any] = {name: typed.texts[name] for name in PERMIT_TEXTS}
    zone = PermitZone(code, area=area, fees=tuple(fees), **values)
    return (None if wrong else zone), wrong


# -- the town

def town_form(town: TownParking) -> Typed:
    """What a town says of itself, in the form."""
    return Typed({name: getattr(town, name) for name in TOWN_TEXTS},
                 frozenset({"special_public"} if town.special_public else ()))


def typed_town(data: FormData) -> Typed:
    """The form as it came."""
    return Typed(_texts(data, TOWN_TEXTS), _ticks(data, "special_public"))


def town_meant(typed: Typed) -> TownParking:
    """What a form means."""
    values: dict[str, Any] = dict(typed.texts)
    return msgspec.structs.replace(TownParking(), special_public="special_public" in typed.ticks, **values)


# -- cells

def _texts(data: FormData, names: Iterable[str]) -> dict[str, str]:
    return {name: _text(data, name) for name in names}


def _text(data: FormData, name: str, most: int = MAX_TYPED) -> str:
    value = data.get(name, "")
    return value.strip()[:most] if isinstance(value, str) else ""


def _ticks(data: FormData, *names: str) -> frozenset[str]:
    return frozenset(name for name in names if _text(data, name))


def _rows(data: FormData, prefix: str, names: Sequence[str]) -> list[dict[str, str]]:
    return [{name: _text(data, f"{prefix}-{n}-{name}", 300) for name in names} for n in range(MOST_ROWS)]


def _tick(on: bool) -> str:
    return "yes" if on else ""


def _area(typed: Typed, wrong: list[Invalid]) -> Ring:
    try:
        return ring_of_text(typed.texts["area"], "area")
    except Invalid as error:
        wrong.append(error)
        return ()


def _whole(text: str, at: str, wrong: list[Invalid]) -> int:
    if not text:
        return 0
    if text.isascii() and text.isdecimal() and len(text) < 8:
        return int(text)
    wrong.append(Invalid("“{value}” is no whole number.", field=at, rule="number", value=text[:40]))
    return 0


def _euro(text: str, at: str, wrong: list[Invalid]) -> float:
    plain = text.replace(",", ".").removesuffix("€").strip()
    whole, _, cents = plain.partition(".")
    if whole.isascii() and whole.isdecimal() and len(whole) < 7 and (not cents or (cents.isascii() and cents.isdecimal())):
        return float(plain)
    wrong.append(Invalid("“{value}” is no amount: write it like 30,70.", field=at, rule="number", value=text[:40]))
    return 0.0


def _day(text: str, at: str, wrong: list[Invalid]) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        wrong.append(Invalid("“{value}” is no day: choose one, or write 2026-01-31.", field=at, rule="ISO 8601", value=text[:40]))
        return date(2000, 1, 1)
