"""What has to be done so that Grafana has what it should: one step for each thing. Pure.

Ours is what has our UID and says besides which town it belongs to (a data source in its jsonData, a board in its tags, a rule in
its labels, a contact point by its name). Everything else is people's: it is neither changed nor removed, whatever folder it is
in. A folder goes only when nothing else is in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import chain
from typing import Any

from city.errors import Conflict
from city.grafana import uid
from dashboards.render import Json
from dashboards.wanted import FINGERPRINT, MAIN_ORG, PLATFORM_TOWN, PREFIX, TOWN, Kind, Place, Thing, contact_name, digest

MAX_DETAILS, MAX_VALUE = 12, 60
REDACTED = "[REDACTED]"  # what Grafana says instead of a contact point's secret


class Do(Enum):
    """What is done with a thing. STAYS: it should change or go, but is left, and the step says why."""

    MAKE = "+"
    CHANGE = "~"
    REMOVE = "-"
    KEEP = "="
    STAYS = "!"


@dataclass(frozen=True, slots=True)
class FoundBoard:
    """A board in Grafana. `message` and `by` are of its newest version; `provisioned`: Grafana reads it from a file."""

    body: Json = field(repr=False)
    folder: str
    provisioned: bool
    message: str
    by: str


@dataclass(frozen=True, slots=True)
class Found:
    """What is in an organisation, by UID; boards only those that have our tag. `others`: for each folder, how many boards,
    folders and rules are in it that are not ours."""

    sources: Mapping[str, Json] = field(default_factory=dict, repr=False)
    folders: Mapping[str, Json] = field(default_factory=dict)
    boards: Mapping[str, FoundBoard] = field(default_factory=dict)
    rules: Mapping[str, Json] = field(default_factory=dict, repr=False)
    contacts: Mapping[str, Json] = field(default_factory=dict, repr=False)
    others: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing and what is done with it; `details` say what differs, or why it stays. `thing` is what is sent."""

    do: Do
    kind: Kind
    uid: str
    title: str
    details: tuple[str, ...] = ()
    thing: Thing | None = None


@dataclass(frozen=True, slots=True)
class Org:
    """An organisation of Grafana, and the towns that have a data source of ours in it (PLATFORM_TOWN: the platform); `seen`:
    we are a member of it, and could look."""

    number: int
    name: str
    towns: frozenset[str] = frozenset()
    seen: bool = True


@dataclass(frozen=True, slots=True)
class OrgStep:
    """What is done with an organisation; `number` 0: it is made. `place` is what should be in it, None where it is a removed
    town's."""

    do: Do
    number: int
    name: str
    place: Place | None
    details: tuple[str, ...] = ()


def organisations(places: Sequence[Place], orgs: Sequence[Org], *, complete: bool, remove: bool) -> list[OrgStep]:
    """Which organisation each place is. A town's is the one with its data source, whatever it is called by now; else one that has
    its name; else a new one. `complete`: `places` are all towns that there are, so that others' organisations are removed towns',
    which are left with all that people made in them unless `remove`. Raises Conflict where a town is in several."""
    steps = [_organisation(place, orgs) for place in places]
    used = {step.number for step in steps}
    steps += [OrgStep(Do.STAYS, org.number, org.name, None, ("we are no member of it, and cannot say whether a town is in it",))
              for org in orgs if not org.seen and org.number not in used]
    if not complete:
        return steps
    named = {str(place.tenant) for place in places if place.tenant is not None} | {PLATFORM_TOWN}
    for org in orgs:
        gone = sorted(org.towns - named)
        if not gone:
            continue
        alone = not org.towns & named and org.number != MAIN_ORG
        if remove and alone:
            steps.append(OrgStep(Do.REMOVE, org.number, org.name, None, (f"with all that is in it; there is no town {gone[0]}",)))
        else:
            why = "--remove-towns deletes it with all that is in it" if alone else "others are in it too"
            steps.append(OrgStep(Do.STAYS, org.number, org.name, None, (f"there is no town {gone[0]} any more; {why}",)))
    return steps


def _organisation(place: Place, orgs: Sequence[Org]) -> OrgStep:
    if place.tenant is None:
        main = next((org for org in orgs if org.number == MAIN_ORG), Org(MAIN_ORG, "Main Org."))
        return OrgStep(Do.KEEP, main.number, main.name, place)
    its = [org for org in orgs if place.tenant in org.towns]
    if len(its) > 1:
        raise Conflict("{town} has data sources in several organisations of Grafana ({names}): remove them from all but one.",
                       field="town", rule="one organisation", town=place.tenant, names=", ".join(org.name for org in its)[:200])
    if not its:
        named = next((org for org in orgs if org.name == place.name), None)
        if named is None:
            return OrgStep(Do.MAKE, 0, place.name, place)
        return OrgStep(Do.KEEP, named.number, named.name, place, ("has the town's name already and is used",))
    org = its[0]
    if org.name == place.name:
        return OrgStep(Do.KEEP, org.number, org.name, place)
    if org.number == MAIN_ORG or len(org.towns) > 1:
        return OrgStep(Do.KEEP, org.number, org.name, place, ("shared with others, keeps its name",))
    if any(other.name == place.name for other in orgs):
        return OrgStep(Do.STAYS, org.number, org.name, place, (f"another organisation is called “{place.name}” already",))
    return OrgStep(Do.CHANGE, org.number, place.name, place, (f"name: {org.name} → {place.name}",))


def steps(place: Place, found: Found) -> list[Step]:
    """What has to be done in one organisation, in an order in which it can be: rules and boards that go make room for the titles
    of new ones; what others need goes last."""
    wanted = [_wanted(thing, place, found) for thing in sorted(place.things, key=lambda thing: list(Kind).index(thing.kind))]
    unwanted = list(_unwanted(place, found))
    first = [step for step in unwanted if step.kind in (Kind.RULE, Kind.BOARD)]
    return [*first, *wanted, *(step for step in unwanted if step not in first)]


def does_something(step: Step | OrgStep) -> bool:
    """Whether anything is written."""
    return step.do in (Do.MAKE, Do.CHANGE, Do.REMOVE)


def differences(wanted: Any, found: Any, at: str = "") -> Iterator[str]:  # noqa: ANN401 - any JSON
    """What of `wanted` is otherwise in `found`: “path: found → wanted”. What only `found` has is Grafana's own."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key, value in wanted.items():
            if key == FINGERPRINT:
                if value != found.get(key, ""):
                    yield "secret: another one"
            else:
                yield from differences(value, found.get(key), f"{at}.{key}" if at else key)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(one, other, f"{at}[{index}]")
    elif wanted != found and not (found is None and wanted in ("", False)):
        yield f"{at}: {_short(found)} → {_short(wanted)}"


def board_differences(wanted: Json, found: Json) -> Iterator[str]:
    """As differences, panel by panel."""
    mine, its = _panels(wanted), _panels(found)
    rest = {key: value for key, value in wanted.items() if key not in ("panels", "version", "id", "schemaVersion")}
    yield from differences(rest, found)
    yield from (f"panel “{title}” is missing" for title in mine if title not in its)
    yield from (f"panel “{title}” is not ours" for title in its if title not in mine)
    for title in mine:
        if title in its and (first := next(differences(_without(mine[title]), its[title]), "")):
            yield f"panel “{title}”: {first}"


def _wanted(thing: Thing, place: Place, found: Found) -> Step:
    match thing.kind:
        case Kind.BOARD:
            return _board(thing, place, found)
        case Kind.SOURCE:
            its, locked = found.sources.get(thing.uid), "readOnly"
        case Kind.FOLDER:
            its, locked = found.folders.get(thing.uid), ""
        case Kind.CONTACT:
            its, locked = _hidden(thing, found.contacts.get(thing.uid)), "provenance"
        case Kind.RULE:
            its, locked = found.rules.get(thing.uid), "provenance"
    if its is None:
        return Step(Do.MAKE, thing.kind, thing.uid, thing.title, thing=thing)
    compared = {key: value for key, value in thing.body.items() if key not in ("isPaused", "isDefault")}
    unlike = _cut(chain(differences(compared, its), _surplus(thing, its)))
    if thing.kind is Kind.CONTACT:
        unlike = tuple(detail.partition(":")[0] if ".url" in detail else detail for detail in unlike)  # may hold a token
    if not unlike:
        return Step(Do.KEEP, thing.kind, thing.uid, thing.title)
    if locked and its.get(locked) in (True, "file"):
        return _from_file(thing)
    peoples: Json = {key: its[key] for key in ("isPaused", "isDefault") if key in thing.body and its.get(key)}
    thing = replace(thing, body={**thing.body, **peoples})
    return Step(Do.CHANGE, thing.kind, thing.uid, thing.title, unlike, thing)


def _board(thing: Thing, place: Place, found: Found) -> Step:
    its = found.boards.get(thing.uid)
    if its is None:
        return Step(Do.MAKE, thing.kind, thing.uid, thing.title, thing=thing)
    moved = its.folder != uid(place.tenant, "folder")
    ours = digest(thing.body) in its.message  # nothing was saved after us, whatever this Grafana makes of the JSON
    unlike = () if ours else _cut(board_differences(thing.body, its.body))
    if not moved and not unlike:
        return Step(Do.KEEP, thing.kind, thing.uid, thing.title)
    if its.provisioned:
        return _from_file(thing)
    details = [*(["is in another folder"] if moved else []), *unlike]
    if unlike and "stadtfunk" not in its.message:
        details.insert(0, f"changed in Grafana by {its.by[:40] or 'somebody'}: taken back (its versions are kept)")
    return Step(Do.CHANGE, thing.kind, thing.uid, thing.title, tuple(details), thing)


def _surplus(thing: Thing, its: Json) -> Iterator[str]:
    """What a rule says of itself and should not: there Grafana adds nothing."""
    if thing.kind is Kind.RULE:
        for part in ("annotations", "labels"):
            yield from (f"{part}.{key}: {_short(value)} → –" for key, value in (its.get(part) or {}).items()
                        if key not in thing.body[part])


def _from_file(thing: Thing) -> Step:
    return Step(Do.STAYS, thing.kind, thing.uid, thing.title,
                ("Grafana has it from a file: take our files out of its provisioning directory first",))


def _unwanted(place: Place, found: Found) -> Iterator[Step]:
    wanted = {thing.uid for thing in place.things}
    town = str(place.tenant or PLATFORM_TOWN)
    gone = {
        Kind.RULE: {key: (rule.get("title"), rule.get("provenance") == "file") for key, rule in found.rules.items()
                    if _labels(rule) == ("stadtfunk", str(place.tenant or "platform"))},
        Kind.BOARD: {key: (board.body.get("title"), board.provisioned) for key, board in found.boards.items()
                     if {"stadtfunk", str(place.tenant or "platform")} <= set(board.body.get("tags") or ())},
        Kind.FOLDER: {key: (folder.get("title"), False) for key, folder in found.folders.items()
                      if key == uid(place.tenant, "folder")},
        Kind.SOURCE: {key: (source.get("name"), bool(source.get("readOnly"))) for key, source in found.sources.items()
                      if (source.get("jsonData") or {}).get(TOWN) == town},
        Kind.CONTACT: {key: (contact.get("name"), contact.get("provenance") == "file") for key, contact in found.contacts.items()
                       if contact.get("name") == contact_name(place.tenant)},
    }
    for kind in (Kind.RULE, Kind.BOARD, Kind.FOLDER, Kind.SOURCE, Kind.CONTACT):
        for key, (title, from_file) in sorted(gone[kind].items()):
            if not key.startswith(PREFIX) or key in wanted:
                continue
            if from_file:
                yield _from_file(Thing(kind, key, str(title), {}))
            elif kind is Kind.FOLDER and found.others.get(key):
                yield Step(Do.STAYS, kind, key, str(title), (f"{found.others[key]} things in it are not ours",))
            else:
                yield Step(Do.REMOVE, kind, key, str(title))


def _labels(rule: Json) -> tuple[object, object]:
    labels = rule.get("labels") or {}
    return labels.get("made_by"), labels.get("town")


def _hidden(thing: Thing, contact: Json | None) -> Json | None:
    """The contact point with what we would send where Grafana does not say what it has."""
    if contact is None:
        return None
    settings = dict(contact.get("settings") or {})
    for key, value in thing.body["settings"].items():
        if settings.get(key) == REDACTED:
            settings[key] = value
    return {**contact, "settings": settings}


def _panels(body: Json) -> dict[str, Json]:
    """By their titles, namesakes numbered."""
    found: dict[str, Json] = {}
    for panel in (one for outer in body.get("panels") or () for one in (outer, *(outer.get("panels") or ()))):
        title, number = str(panel.get("title") or panel.get("type")), 2
        key = title
        while key in found:
            key, number = f"{title} {number}", number + 1
        found[key] = panel
    return found


def _without(panel: Json) -> Json:
    return {key: value for key, value in panel.items() if key not in ("id", "panels")}


def _cut(details: Iterator[str]) -> tuple[str, ...]:
    every = list(details)
    return tuple(every) if len(every) <= MAX_DETAILS else (*every[:MAX_DETAILS], f"… and {len(every) - MAX_DETAILS} more")


def _short(value: object) -> str:
    text = "–" if value is None else str(value)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"


