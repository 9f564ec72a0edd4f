"""A town's lamps as FIWARE entities: the reading half of an NGSI-LD API (ETSI GS CIM 009), for one town."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.deps import Now, Viewing, anyone
from api.exporting import lamps_seen, page_links, sent, town_seen
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.views import lamp_of
from city.errors import Invalid, NotFound
from city.exports import ngsi_ld
from city.exports.ngsi_ld import TYPES, Entity
from city.exports.seen import Members, TownSeen
from city.groups import Target
from city.ids import AssetId, CircuitId
from city.places import Luminaire
from city.store.ports import TenantStore

LD_JSON = "application/ld+json"
CONTEXT = "/api/v1/ngsi-ld/context.jsonld"
MOST = 1000
MOST_MEMBERS = 50_000  # lamps in the groups of one page
_LD = {200: {"content": {LD_JSON: {}, "application/json": {}}, "description": "Entities."}}
router = APIRouter(tags=["exports"], responses={**RESPONSES, **_LD})  # type: ignore[dict-item]
Name = tuple[str, str]  # type, and name in the town
Words = Annotated[str, Query(max_length=2000, description="separated by commas")]


@dataclass(frozen=True, slots=True)
class Form:
    """How entities are wanted: `simple` as keys and values, `linked` with their context in them, only some attributes."""

    simple: bool
    linked: bool
    attributes: tuple[str, ...]

    @property
    def media_type(self) -> str:
        """As it is sent."""
        return LD_JSON if self.linked else "application/json"

    def of(self, entity: Entity) -> Entity:
        """The entity in this form."""
        plain = ngsi_ld.simplified(entity) if self.simple else entity
        short = ngsi_ld.chosen(plain, self.attributes)
        return ngsi_ld.with_context(short) if self.linked else short


def form(request: Request, options: Annotated[str, Query(max_length=100, description="keyValues (or simplified): values "
                                                         "without their times; count: how many there are")] = "",
         attrs: Words = "") -> Form:
    """Raises Invalid for options that are not known."""
    asked = {word for word in options.split(",") if word}
    if unknown := asked - {"keyValues", "simplified", "normalized", "count"}:
        raise Invalid("There is no option “{option}”.", field="options", rule="keyValues, simplified, normalized, count",
                      option=min(unknown)[:40])
    accepted = request.headers.get("accept", "")
    return Form(bool(asked & {"keyValues", "simplified"}), LD_JSON in accepted or "json" not in accepted,
                tuple(word for word in attrs.split(",") if word))


@router.get(CONTEXT, summary="What our own terms mean", dependencies=[Depends(anyone)], response_class=Response)
def context(request: Request) -> Response:
    """A JSON-LD context: FIWARE's words, ours, NGSI-LD's."""
    return sent(request, {"@context": ngsi_ld.context()}, media_type=LD_JSON)


@router.get(f"{TENANT}/ngsi-ld/v1/entities", response_class=Response, summary="Entities of a type")
def entities(request: Request, town: Viewing, now: Now, form: Annotated[Form, Depends(form)], type: Words = "", id: Words = "",
             limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
             offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0) -> Response:
    """Streetlight, StreetlightGroup, StreetlightControlCabinet, StreetlightModel, a page at a time; by `type`, by `id`, or both.
    `Accept: application/ld+json` has the context in each entity, `application/json` in the Link header."""
    seen = town_seen(town, now)
    names = _names(seen, _words(type), _words(id))
    found = [form.of(entity) for entity in _entities(town, seen, names[offset:offset + limit])]
    headers = {**_linked(form, page_links(request, offset, limit, len(names))), "NGSILD-Results-Count": str(len(names))}
    return sent(request, found, media_type=form.media_type, headers=headers)


@router.get(f"{TENANT}/ngsi-ld/v1/entities/{{id}}", response_class=Response, summary="One entity")
def entity(request: Request, town: Viewing, now: Now, id: str, form: Annotated[Form, Depends(form)]) -> Response:
    """By its URN."""
    name = ngsi_ld.parse_urn(id, town.tenant.id)
    seen = town_seen(town, now, [lamp_of(town, AssetId(name[1]))] if name[0] == "Streetlight" else None)
    if name not in _known(seen, name[0]):
        raise NotFound("There is no entity “{id}”.", field="id", rule="exists", id=id[:120])
    return sent(request, form.of(next(_entities(town, seen, [name]))), media_type=form.media_type, headers=_linked(form, ()))


def _names(seen: TownSeen, types: Sequence[str], ids: Sequence[str]) -> list[Name]:
    """Type and name of the entities that are meant, in a fixed order. Raises Invalid where none are named."""
    if not types and not ids:
        raise Invalid("Say which entities: by type or by id.", field="type", rule=", ".join(TYPES))
    if unknown := [one for one in types if one not in TYPES]:
        raise Invalid("There are no entities of type “{type}”.", field="type", rule=", ".join(TYPES), type=unknown[0][:80])
    names = [name for one in types or TYPES for name in _known(seen, one)]
    wanted = set(ids)
    return [name for name in names if ngsi_ld.urn(name[0], seen.tenant.id, name[1]) in wanted] if wanted else names


def _words(text: str) -> list[str]:
    """Each once: an entity is answered once, however often it is named."""
    return [word for word in dict.fromkeys(text.split(",")) if word]


def _known(seen: TownSeen, kind: str) -> list[Name]:
    """All entities of a type."""
    names: Iterable[str]
    match kind:
        case "Streetlight":
            names = sorted(lamp.id for lamp in seen.lamps)
        case "StreetlightGroup":
            names = ngsi_ld.group_names(seen)
        case "StreetlightControlCabinet":
            names = sorted(circuit.id for circuit in seen.circuits)
        case _:
            names = sorted({lamp.luminaire_type for lamp in seen.lamps if lamp.luminaire_type})
    return [(kind, name) for name in names]


def _entities(town: TenantStore, seen: TownSeen, names: Sequence[Name]) -> Iterator[Entity]:
    places = Members(seen.lamps, seen.programming.groups)
    members = {name: _members(seen, places, name) for name in names}
    if sum(map(len, members.values())) > MOST_MEMBERS:
        raise Invalid("These entities have more than {most} lamps together: ask for fewer at once.", field="limit",
                      rule=f"≤ {MOST_MEMBERS} lamps", most=MOST_MEMBERS)
    needed = {lamp.id: lamp for lamps in members.values() for lamp in lamps}
    lit = {one.lamp.id: one for one in lamps_seen(town, seen, needed.values())}
    circuits = {one.id: one for one in seen.circuits}
    for kind, name in names:
        lamps = members[kind, name]
        match kind:
            case "Streetlight":
                yield ngsi_ld.streetlight(seen, lit[AssetId(name)])
            case "StreetlightGroup":
                yield ngsi_ld.streetlight_group(seen, name, [lit[lamp.id] for lamp in lamps])
            case "StreetlightControlCabinet":
                yield ngsi_ld.control_cabinet(seen, circuits[CircuitId(name)], lamps)
            case "StreetlightModel":
                yield ngsi_ld.streetlight_model(seen, name, lamps)


def _members(seen: TownSeen, places: Members, name: Name) -> list[Luminaire]:
    kind, short = name
    match kind:
        case "StreetlightGroup":
            return places.of(Target.parse(short))
        case "StreetlightControlCabinet":
            return places.of(Target("circuit", short))
        case "StreetlightModel":
            return [lamp for lamp in seen.lamps if lamp.luminaire_type == short]
    return places.of(Target("lamp", short))


def _linked(form: Form, links: Sequence[str]) -> dict[str, str]:
    context = f'<{CONTEXT}>; rel="http://www.w3.org/ns/json-ld#context"; type="{LD_JSON}"'
    every = [*([] if form.linked else [context]), *links]
    return {"Link": ", ".join(every)} if every else {}
