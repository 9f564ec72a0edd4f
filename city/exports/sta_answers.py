"""Answers of an OGC SensorThings API 1.1 (18-088) that is read only: paths, relations, queries and links over plain entities.
Pure; what the entities are, city.exports.sensorthings says."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, overload
from urllib.parse import quote, urlencode

from city.errors import Invalid, NotFound
from city.exports.sta_query import Getter, Query, matches, ordered

MOST_PUT_IN = 5_000  # entities in one answer
MOST_LOOKED_AT = 10_000  # … of which a filter or an order may take one collection
MOST_WORK = 400_000  # things looked at for one answer, each as often as its query has words: half a second
LONGEST_PATH, MOST_STEPS = 500, 6
# 18-088, 8.2: of which set, by which name, what is related, and whether it is one
RELATIONS: Final[Mapping[str, Mapping[str, tuple[str, bool]]]] = {
    "Things": {"Locations": ("Locations", False), "HistoricalLocations": ("HistoricalLocations", False),
               "Datastreams": ("Datastreams", False)},
    "Locations": {"Things": ("Things", False), "HistoricalLocations": ("HistoricalLocations", False)},
    "HistoricalLocations": {"Thing": ("Things", True), "Locations": ("Locations", False)},
    "Datastreams": {"Thing": ("Things", True), "Sensor": ("Sensors", True), "ObservedProperty": ("ObservedProperties", True),
                    "Observations": ("Observations", False)},
    "Sensors": {"Datastreams": ("Datastreams", False)},
    "ObservedProperties": {"Datastreams": ("Datastreams", False)},
    "Observations": {"Datastream": ("Datastreams", True), "FeatureOfInterest": ("FeaturesOfInterest", True)},
    "FeaturesOfInterest": {"Observations": ("Observations", False)}}
CONFORMANCE: Final = tuple("http://www.opengis.net/spec/iot_sensing/1.1/req/" + part for part in (
    "datamodel", "resource-path/resource-path-to-entities", "request-data/order", "request-data/expand", "request-data/select",
    "request-data/orderby", "request-data/skip", "request-data/top", "request-data/count", "request-data/filter",
    "request-data/pagination", "request-data/status-code", "request-data/query-status-code"))
_BACK: Final = {("Locations", "Things"): "Locations", ("Things", "Datastreams"): "Thing", ("Sensors", "Datastreams"): "Sensor",
                ("ObservedProperties", "Datastreams"): "ObservedProperty", ("Datastreams", "Observations"): "Datastream",
                ("FeaturesOfInterest", "Observations"): "FeatureOfInterest"}
_STEP: Final = re.compile(r"([A-Za-z]{1,40})(?:\('((?:[^']|''){1,200})'\))?")

Window = tuple[datetime | None, datetime | None]


@dataclass(frozen=True, slots=True)
class Entity:
    """`links`: by the name of a relation, the ids of what it leads to, where they are kept on this side; of a datastream also
    the feature of interest of its observations."""

    id: str
    body: Mapping[str, Any]
    links: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Late(Sequence[Entity]):
    """Entities that are made only where somebody looks at them; `items` that are entities already stay what they are."""

    def __init__(self, make: Callable[[Any], Entity], items: Sequence[Any]) -> None:
        self.make, self.items = make, items

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, place: int) -> Entity: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Entity]: ...
    def __getitem__(self, place: int | slice) -> Entity | Sequence[Entity]:
        if isinstance(place, slice):
            return [self._made(item) for item in self.items[place]]
        return self._made(self.items[place])

    def _made(self, item: object) -> Entity:
        return item if isinstance(item, Entity) else self.make(item)


Observe = Callable[[frozenset[str] | None, Window], Sequence[Entity]]


@dataclass(frozen=True, slots=True)
class Model:
    """All that there is. `observe` gives the observations of these datastreams (None: of all), those of now and then the newest
    first, of at least what lies in a window of time; `base` is the address of the service without a slash at its end."""

    base: str
    sets: Mapping[str, Mapping[str, Entity]]
    observe: Observe

    def all(self, name: str, window: Window = (None, None)) -> Sequence[Entity]:
        """A whole set."""
        return self.observe(None, window) if name == "Observations" else list(self.sets.get(name, {}).values())

    def one(self, name: str, id: str) -> Entity:
        """Raises NotFound."""
        if name == "Observations":
            stream, _, _ = id.rpartition("@")
            found = next((one for one in self.observe(frozenset({stream}), (None, None)) if one.id == id), None)
        else:
            found = self.sets.get(name, {}).get(id)
        if found is None:
            raise NotFound("There is no entity “{id}”.", field="path", rule="exists", id=f"{name}('{id}')"[:120])
        return found

    def related(self, name: str, entity: Entity, relation: str, window: Window = (None, None)) -> Sequence[Entity]:
        """What an entity is related to; one of a single relation."""
        target, _ = RELATIONS[name][relation]
        if relation in entity.links:
            return [self.one(target, its) for its in entity.links[relation]]
        back = _BACK.get((name, relation))
        if back is None:
            return []
        if target == "Observations":
            streams = {entity.id} if name == "Datastreams" else {
                one.id for one in self.sets["Datastreams"].values() if entity.id in one.links["FeatureOfInterest"]}
            return self.observe(frozenset(streams), window)
        return [one for one in self.sets.get(target, {}).values() if entity.id in one.links.get(back, ())]


def joined(one: Model, other: Model) -> Model:
    """What is in either, at the address of the first. Their ids must not be the same, but where the entities are."""
    def observe(wanted: frozenset[str] | None, window: Window) -> Sequence[Entity]:
        many, few = one.observe(wanted, window), other.observe(wanted, window)
        return Late(many.make, [*few, *many.items]) if isinstance(many, Late) else [*few, *many]

    return Model(one.base, {name: {**one.sets.get(name, {}), **other.sets.get(name, {})} for name in RELATIONS}, observe)


def root(model: Model, settings: Mapping[str, object]) -> dict[str, Any]:
    """The service's first document (9.2.1): which sets there are, and what it keeps to."""
    return {"value": [{"name": name, "url": f"{model.base}/{name}"} for name in RELATIONS],
            "serverSettings": {"conformance": list(CONFORMANCE), **settings}}


def answer(model: Model, path: str, query: Query) -> dict[str, Any] | str:
    """What is at a path (9.2): a collection, an entity, a property, a property's bare value (a text), or references. Raises
    NotFound, Invalid."""
    steps = path.strip("/").split("/")
    if len(path) > LONGEST_PATH or len(steps) > MOST_STEPS:
        raise NotFound("There is nothing at this address.", field="path", rule="exists")
    name, single = "", False
    here: Sequence[Entity] = []
    for place, step in enumerate(steps):
        if step == "$ref" and name and place == len(steps) - 1:
            page, _ = _page(model, name, here, query, _Room())
            return {"value": [{"@iot.selfLink": _self(model, name, one)} for one in page]}
        if single and step.partition("(")[0] not in RELATIONS[name]:
            return _property(here[0], steps[place:])
        name, here, single = _stepped(model, name, here, step, single, query)
    if single:
        return _shown(model, name, here[0], query, _Room())
    return _collection(model, name, here, query, f"{model.base}/{quote(path.strip('/'), safe=_SAFE)}", _Room())


def _stepped(model: Model, name: str, here: Sequence[Entity], step: str, single: bool,
             query: Query) -> tuple[str, Sequence[Entity], bool]:
    match = _STEP.fullmatch(step)
    if match is None or (name and not single):
        raise _nothing()
    relation, wanted = match[1], match[2].replace("''", "'") if match[2] else None
    if not name:
        if relation not in RELATIONS:
            raise _nothing()
        if wanted is None:
            return relation, model.all(relation, query.window), False
        return relation, [model.one(relation, wanted)], True
    if relation not in RELATIONS[name]:
        raise _nothing()
    target, one = RELATIONS[name][relation]
    found = model.related(name, here[0], relation, query.window if wanted is None else (None, None))
    if wanted is not None:
        found, one = [entity for entity in found if entity.id == wanted], True
    if one and not found:
        raise _nothing()
    return target, found, one


def _property(entity: Entity, steps: Sequence[str]) -> dict[str, Any] | str:
    """A property of an entity, or its bare value."""
    name, raw = steps[0], list(steps[1:]) == ["$value"]
    body = {"@iot.id": entity.id, "id": entity.id, **entity.body}
    if name not in body or (len(steps) > 1 and not raw):
        raise _nothing()
    return str(body[name]) if raw else {name: body[name]}


def _collection(model: Model, name: str, items: Sequence[Entity], query: Query, address: str,
                room: "_Room") -> dict[str, Any]:
    page, count = _page(model, name, items, query, room)
    body: dict[str, Any] = {"@iot.count": count} if query.count else {}
    if query.skip + query.top < count and query.top:
        kept = [(key, text) for key, text in query.asked if key not in ("$skip", "$top")]
        more = [("$top", str(query.top)), ("$skip", str(query.skip + query.top))]
        body["@iot.nextLink"] = f"{address}?{urlencode([*kept, *more], safe='$,/()', quote_via=quote)}"
    return {**body, "value": [_shown(model, name, entity, query, room) for entity in page]}


def _page(model: Model, name: str, items: Sequence[Entity], query: Query, room: "_Room") -> tuple[Sequence[Entity], int]:
    def getter(entity: Entity) -> Getter:
        return lambda path: _value(model, name, entity, path)

    if (query.filter is not None or query.orderby) and len(items) > MOST_LOOKED_AT:
        raise Invalid("That would look through more than {most} entities: ask for those of one datastream, or for a shorter "
                      "time.", field="$filter" if query.filter is not None else "$orderby", rule=f"≤ {MOST_LOOKED_AT}",
                      most=MOST_LOOKED_AT)
    room.work(len(items) * query.weight)
    found = items if query.filter is None else [entity for entity in items if matches(query, getter(entity))]
    if query.orderby:
        found = ordered(found, query, getter)
    return found[query.skip:query.skip + query.top], len(found)


def _value(model: Model, name: str, entity: Entity, path: str) -> object:
    """A property by its path: into objects, and along relations to one thing."""
    first, _, rest = path.partition("/")
    if first in ("id", "@iot.id"):
        return entity.id
    if first in RELATIONS[name]:
        target, single = RELATIONS[name][first]
        if not single or not rest:
            raise Invalid("“{name}” cannot be compared: it is no property of one thing.", field="$filter", rule="property",
                          name=path[:80])
        found = model.related(name, entity, first)
        return _value(model, target, found[0], rest) if found else None
    value: object = entity.body.get(first)
    for part in filter(None, rest.split("/")):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


class _Room:
    """How many entities may still be put into an answer, and how much work it may still be to choose them. What is put into
    what is put in is looked at again for each of them, so a bound for each collection would be none."""

    def __init__(self) -> None:
        self._left, self._work = MOST_PUT_IN, MOST_WORK

    def take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Invalid("The answer would have more than {most} entities: ask for fewer at once.", field="$expand",
                          rule=f"≤ {MOST_PUT_IN}", most=MOST_PUT_IN)

    def work(self, amount: int) -> None:
        self._work -= amount
        if self._work < 0:
            raise Invalid("This asks for too much at once: ask for a shorter time, for fewer things, or with a shorter filter.",
                          field="$expand", rule=f"≤ {MOST_WORK}")


def _shown(model: Model, name: str, entity: Entity, query: Query, room: _Room) -> dict[str, Any]:
    """An entity as it is told: with its links, or what they lead to, and only what is asked for."""
    room.take()
    address = _self(model, name, entity)
    whole: dict[str, Any] = {"@iot.id": entity.id, "@iot.selfLink": address, **entity.body}
    for relation, (target, single) in RELATIONS[name].items():
        asked = query.expand.get(relation)
        if asked is None:
            whole[f"{relation}@iot.navigationLink"] = f"{address}/{relation}"
            continue
        found = model.related(name, entity, relation, asked.window)
        if single:
            whole[relation] = _shown(model, target, found[0], asked, room) if found else None
            continue
        inner = _collection(model, target, found, asked, f"{address}/{relation}", room)
        whole[relation] = inner["value"]
        whole |= {f"{relation}{key}": inner[key] for key in ("@iot.count", "@iot.nextLink") if key in inner}
    if unknown := [relation for relation in query.expand if relation not in RELATIONS[name]]:
        raise Invalid("“{name}” is not related to anything called “{relation}”.", field="$expand",
                      rule=", ".join(RELATIONS[name]), name=name, relation=unknown[0])
    return whole if not query.select else _chosen(whole, name, query)


def _chosen(whole: Mapping[str, Any], name: str, query: Query) -> dict[str, Any]:
    wanted = {"@iot.id" if one == "id" else f"{one}@iot.navigationLink" if one in RELATIONS[name] else one
              for one in query.select}
    kept = {key for relation in query.expand for key in whole if key.partition("@")[0] == relation}
    return {key: value for key, value in whole.items() if key in wanted | kept}


def _self(model: Model, name: str, entity: Entity) -> str:
    escaped = quote(entity.id.replace("'", "''"), safe="._~:@-")
    return f"{model.base}/{name}('{escaped}')"


def _nothing() -> NotFound:
    return NotFound("There is nothing at this address.", field="path", rule="exists")


_SAFE: Final = "/('):@._~-$"
