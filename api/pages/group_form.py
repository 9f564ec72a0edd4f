"""The group editor's form: what a person has typed or ticked, kept as it is, and the group that it means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from starlette.datastructures import FormData

from city.errors import Invalid, Refused
from city.groups import MAX_MEMBERS, MAX_VALUES, Filter, Group
from city.ids import AssetId, GroupId, TenantId
from city.places import Luminaire

MAX_TYPED = 100
MAX_MEMBERS_TEXT = 1_000_000
LISTS = ("zones", "circuits", "lighting_classes", "luminaire_types", "restrictions")
_MOST_W = 5000.0


@dataclass(frozen=True, slots=True)
class GroupForm:
    """`way`: "members" (one a line, by name or number) or "filter". `q` and `zone` are what the finder looks for."""

    name: str = ""
    way: str = "members"
    members: str = ""
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    min_power_w: str = ""
    max_power_w: str = ""
    q: str = ""
    zone: str = ""
    base: str = ""

    @property
    def lines(self) -> list[str]:
        """What is written down as members, each once."""
        return list(dict.fromkeys(filter(None, (line.strip() for line in self.members.splitlines()))))


Wrong = tuple[str, Refused]


def typed(data: FormData) -> GroupForm:
    """The form as it came."""
    words = {name: _one(data, name) for name in ("name", "way", "min_power_w", "max_power_w", "q", "zone", "base")}
    lists = {name: tuple(str(one)[:120] for one in data.getlist(name))[:MAX_VALUES + 1] for name in LISTS}
    return GroupForm(**words, members=_one(data, "members", MAX_MEMBERS_TEXT), lists=lists)


def form_of(group: Group, lamps: Sequence[Luminaire]) -> GroupForm:
    """A group in the editor."""
    if group.filter is None:
        return GroupForm(group.name, "members", "\n".join(sorted(written(lamps, group.members))))
    chosen = group.filter
    return GroupForm(group.name, "filter", "", {name: getattr(chosen, name) for name in LISTS}, _watts(chosen.min_power_w),
                     _watts(chosen.max_power_w))


def written(lamps: Sequence[Luminaire], members: frozenset[AssetId]) -> list[str]:
    """How members are written down: by name, by number where the name is another lamp's too, or the lamp is gone."""
    names: dict[str, int] = {}
    for lamp in lamps:
        names[lamp.name] = names.get(lamp.name, 0) + 1
    ids = {str(lamp.id) for lamp in lamps}
    known = {lamp.id: lamp.name if names[lamp.name] == 1 and lamp.name not in ids else str(lamp.id) for lamp in lamps}
    return [known.get(member, str(member)) for member in members]


def read(form: GroupForm, tenant: TenantId, id: GroupId, lamps: Sequence[Luminaire]) -> tuple[Group | None, Sequence[Wrong]]:
    """The group that is meant, or None and all that is wrong, each with its field."""
    wrong: list[Wrong] = [] if form.name else [("name", Invalid("Give it a name.", field="name", rule="required"))]
    members, chosen = frozenset[AssetId](), None
    try:
        if form.way == "filter":
            chosen = filter_of(form)
        else:
            members = members_of(form, lamps)
    except Refused as error:
        wrong.append((_FIELDS.get(error.field, error.field), error))
    if wrong:
        return None, wrong
    try:
        return Group(tenant, id, form.name, members, chosen), ()
    except Refused as error:
        return None, ((_FIELDS.get(error.field, "name"), error),)


def members_of(form: GroupForm, lamps: Sequence[Luminaire]) -> frozenset[AssetId]:
    """The lamps that are written down. Raises Invalid for a line that is none, or several."""
    by_id = {str(lamp.id): lamp.id for lamp in lamps}
    by_name: dict[str, list[AssetId]] = {}
    for lamp in lamps:
        by_name.setdefault(lamp.name.casefold(), []).append(lamp.id)
    if len(form.lines) > MAX_MEMBERS:
        raise Invalid("A group has at most {most} lamps.", field="members", rule=f"≤ {MAX_MEMBERS}", most=MAX_MEMBERS)
    found = set()
    for line in form.lines:
        named = [by_id[line]] if line in by_id else by_name.get(line.casefold(), [])
        if len(named) != 1:
            sentence = "There is no lamp “{lamp}” here." if not named else "Several lamps are named “{lamp}”: write the number."
            raise Invalid(sentence, field="members", rule="one lamp a line", lamp=line[:80])
        found.add(named[0])
    return frozenset(found)


def filter_of(form: GroupForm) -> Filter:
    """The filter that is meant; raises Invalid."""
    low, high = _power(form.min_power_w, "min_power_w"), _power(form.max_power_w, "max_power_w")
    if low is not None and high is not None and low > high:
        raise Invalid("The least power is more than the most.", field="min_power_w", rule="least ≤ most")
    chosen = {name: form.lists.get(name, ()) for name in LISTS}
    return Filter(**chosen, min_power_w=low, max_power_w=high)


def with_lamps(form: GroupForm, lamps: Sequence[Luminaire], more: Sequence[str], every: Sequence[Luminaire]) -> GroupForm:
    """The form with lamps added to its members; `more` are their numbers, `every` all lamps of the town."""
    chosen = {AssetId(number) for number in more} & {lamp.id for lamp in lamps}
    return replace(form, members="\n".join(dict.fromkeys([*form.lines, *sorted(written(every, frozenset(chosen)))])))


def finds(form: GroupForm, lamp: Luminaire, zone_name: str) -> bool:
    """Whether the finder shows a lamp."""
    if form.zone and lamp.zone != form.zone:
        return False
    text = f"{lamp.id} {lamp.name} {zone_name} {lamp.circuit or ''} {lamp.lighting_class} {lamp.luminaire_type}".casefold()
    return all(word in text for word in form.q.casefold().split())


def _power(text: str, field: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = float("nan")
    if not 0 <= value <= _MOST_W:
        raise Invalid("Give a power in W, like 35.", field=field, rule="0…5000")
    return value


def _watts(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _one(data: FormData, name: str, most: int = MAX_TYPED) -> str:
    value = data.get(name, "")
    return value.strip()[:most] if isinstance(value, str) else ""


_FIELDS = {"filter": "filter", "members": "members", "min_power_w": "min_power_w", "max_power_w": "max_power_w",
           "name": "name"}
