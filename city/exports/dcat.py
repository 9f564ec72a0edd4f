"""A town's parking as a catalogue record in DCAT-AP.de 3.0 (DCAT-AP 3.0 with Germany's additions): the same statements in
JSON-LD and in RDF/XML.

Nothing is invented: who publishes, how to reach them, which region it is and under which licence is what the town has said; what
it has not said is left out, which validators of GovData call missing. `dcatde:contributorID` is given by GovData to whoever
delivers; it is added there.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from xml.etree import ElementTree as ET

from city.exports.parking_seen import ParkingSeen, clean, stamp, web_address

JSON_LD, RDF_XML = "application/ld+json", "application/rdf+xml"
PREFIXES: Final[Mapping[str, str]] = {
    "dcat": "http://www.w3.org/ns/dcat#", "dcatap": "http://data.europa.eu/r5r/", "dcatde": "http://dcat-ap.de/def/dcatde/",
    "dct": "http://purl.org/dc/terms/", "foaf": "http://xmlns.com/foaf/0.1/", "gsp": "http://www.opengis.net/ont/geosparql#",
    "owl": "http://www.w3.org/2002/07/owl#", "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "vcard": "http://www.w3.org/2006/vcard/ns#", "xsd": "http://www.w3.org/2001/XMLSchema#"}
_EU: Final = "http://publications.europa.eu/resource/authority/"
_GEOCODING: Final = "http://dcat-ap.de/def/politicalGeocoding/"
_LICENCES: Final = "http://dcat-ap.de/def/licenses/"
LICENCES: Final = {  # by what towns call them, without spaces, hyphens, dots and slashes
    "ccby40": "cc-by/4.0", "ccbysa40": "cc-by-sa/4.0", "cc0": "cc-zero", "cc010": "cc-zero", "cczero": "cc-zero",
    "dldeby20": "dl-by-de/2.0", "dlbyde20": "dl-by-de/2.0", "dldezero20": "dl-zero-de/2.0", "dlzerode20": "dl-zero-de/2.0",
    "odbl10": "odbl", "odbl": "odbl"}
_LAW: Final = "http://data.europa.eu/eli/reg_del/2017/1926/oj"  # multimodal travel information: access points
_MAIL: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}")


@dataclass(frozen=True, slots=True)
class Iri:
    """A thing that is described elsewhere."""

    address: str


@dataclass(frozen=True, slots=True)
class Text:
    """Words in a language; "" for those of none."""

    words: str
    language: str = "de"


@dataclass(frozen=True, slots=True)
class Typed:
    """A value with its type, as `xsd:dateTime`."""

    text: str
    type: str


@dataclass(frozen=True, slots=True)
class Node:
    """A thing that is described here: its type, and what is said of it, in order. `address` "": it has no name."""

    type: str
    address: str = ""
    said: Sequence[tuple[str, Any]] = field(default_factory=tuple)  # predicate, and a Value


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to get the data: below the town's open data, of a media type and a file type of the EU's list. `service`: the
    address of an API, below the same, where it is one."""

    path: str
    title: str
    media_type: str
    file_type: str
    description: str = ""
    service: str = ""
    conforms: str = ""


def catalogue(seen: ParkingSeen, offers: Iterable[Offer], since: datetime | None = None) -> Node:
    """The town's catalogue with its one dataset. `since`: from when on there is history."""
    offers = list(offers)
    publisher = _publisher(seen)
    services = [_service(seen, offer) for offer in offers if offer.service]
    return Node("dcat:Catalog", f"{seen.base}/catalogue", _known([
        ("dct:title", Text(f"Offene Daten zum Parken in {seen.tenant.name}")),
        ("dct:description", Text(f"Was {seen.tenant.name} über seine Parkzonen für alle bereitstellt.")),
        ("dct:publisher", publisher), ("dct:language", Iri(f"{_EU}language/DEU")), ("foaf:homepage", _document(seen.base)),
        ("dcat:themeTaxonomy", Iri(f"{_EU}data-theme")), ("dct:license", _licence(seen)),
        *(("dcat:service", service) for service in services), ("dcat:dataset", _dataset(seen, offers, publisher, since))]))


def as_json_ld(node: Node) -> dict[str, Any]:
    """The statements in JSON-LD 1.1."""
    return {"@context": dict(PREFIXES), **_json(node)}


def as_rdf_xml(node: Node) -> bytes:
    """The statements in RDF 1.1 XML."""
    root = ET.Element("rdf:RDF", {f"xmlns:{prefix}": address for prefix, address in PREFIXES.items()})
    _xml(root, node)
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return data


def licence_of(name: str, address: str) -> str:
    """The licence in the list of DCAT-AP.de; else the address that the town gives, or "" where it is none."""
    known = LICENCES.get(re.sub(r"[^a-z0-9]", "", name.lower()))
    return _LICENCES + known if known else web_address(address)


def _dataset(seen: ParkingSeen, offers: Sequence[Offer], publisher: Node, since: datetime | None) -> Node:
    name, town = seen.tenant.name, seen.town
    region = town.region_code if re.fullmatch(r"\d{12}", town.region_code) else ""
    return Node("dcat:Dataset", f"{seen.base}/catalogue#parking", _known([
        ("dct:title", Text(f"Parken in {name}: freie Stellplätze je Zone")),
        ("dct:title", Text(f"Parking in {name}: free bays by zone", "en")),
        ("dct:description", Text(f"Parkzonen in {name} mit Lage, Regeln und Gebühren; wie viele Stellplätze jetzt frei sind, "
                                 "und Mittelwerte je Viertelstunde. Zahlen stehen nur, wo genug Stellplätze bekannt sind; "
                                 "einzelne Stellplätze und Fahrzeuge kommen nicht vor.")),
        ("dct:description", Text(f"Parking zones in {name} with place, rules and fees; how many bays are free now, and means "
                                 "over quarters of an hour.", "en")),
        ("dct:identifier", Text(f"{seen.tenant.id}-parking", "")), *_keywords(),
        ("dcat:theme", Iri(f"{_EU}data-theme/TRAN")), ("dct:publisher", Iri(publisher.address)),
        ("dcat:contactPoint", _contact(seen)),
        ("dcat:landingPage", _document(seen.base)), ("dct:language", Iri(f"{_EU}language/DEU")),
        ("dct:accessRights", Iri(f"{_EU}access-right/PUBLIC")), ("dct:accrualPeriodicity", Iri(f"{_EU}frequency/UPDATE_CONT")),
        ("dct:modified", _moment(seen.newest)), ("dct:spatial", _place(seen)),
        ("dct:temporal", None if since is None else _span(since)),
        ("dcatde:politicalGeocodingURI", Iri(f"{_GEOCODING}regionalKey/{region}") if region else None),
        ("dcatde:politicalGeocodingLevelURI", Iri(f"{_GEOCODING}Level/municipality")),
        ("dcatde:geocodingDescription", Text(name)), ("dcatap:applicableLegislation", Node("", _LAW)),
        *(("dcat:distribution", _distribution(seen, offer)) for offer in offers)]))


def _keywords() -> list[tuple[str, Text]]:
    german = ("Parken", "Stellplätze", "Parkzonen", "Verkehr", "Echtzeitdaten", "Behindertenparkplatz", "Laden", "Bewohnerparken")
    return [("dcat:keyword", Text(word)) for word in german] + [("dcat:keyword", Text("parking", "en"))]


def _distribution(seen: ParkingSeen, offer: Offer) -> Node:
    access = f"{seen.base}/{offer.path}"
    attribution = seen.town.attribution or seen.operator
    return Node("dcat:Distribution", f"{seen.base}/catalogue#{quote(offer.path, safe='')}", _known([
        ("dct:title", Text(offer.title)), ("dct:description", Text(offer.description) if offer.description else None),
        ("dcat:accessURL", Node("", access)), ("dcat:downloadURL", None if offer.service else Node("", access)),
        ("dct:license", _licence(seen)), ("dcatde:licenseAttributionByText", Text(attribution)),
        ("dct:format", Iri(f"{_EU}file-type/{offer.file_type}")),
        ("dcat:mediaType", Iri(f"http://www.iana.org/assignments/media-types/{offer.media_type}")),
        ("dct:conformsTo", Node("dct:Standard", offer.conforms) if offer.conforms else None),
        ("dcatap:availability", Iri(f"{_EU}planned-availability/AVAILABLE")),
        ("dcatap:applicableLegislation", Node("", _LAW)), ("dct:modified", _moment(seen.newest)),
        ("dcat:accessService", Iri(f"{seen.base}/{offer.service}") if offer.service else None)]))


def _service(seen: ParkingSeen, offer: Offer) -> Node:
    address = f"{seen.base}/{offer.service}"
    return Node("dcat:DataService", address, _known([
        ("dct:title", Text(offer.title)), ("dcat:endpointURL", Node("", address)), ("dct:license", _licence(seen)),
        ("dcat:endpointDescription", Node("", f"{seen.base.rpartition('/opendata/')[0]}/api/v1/openapi.json")),
        ("dct:conformsTo", Node("dct:Standard", offer.conforms) if offer.conforms else None),
        ("dcat:servesDataset", Iri(f"{seen.base}/catalogue#parking"))]))


def _publisher(seen: ParkingSeen) -> Node:
    website = web_address(seen.town.website)
    return Node("foaf:Organization", f"{seen.base}/catalogue#publisher", _known([
        ("dct:type", Iri("http://purl.org/adms/publishertype/LocalAuthority")), ("foaf:name", Text(seen.operator, "")),
        ("foaf:mbox", _mail(seen)), ("foaf:homepage", _document(website) if website else None)]))


def _contact(seen: ParkingSeen) -> Node | None:
    """Who answers questions; none where the town gives no address."""
    mail, website = _mail(seen), web_address(seen.town.website)
    if mail is None and not website:
        return None
    return Node("vcard:Organization", f"{seen.base}/catalogue#contact", _known([
        ("vcard:fn", Text(seen.operator, "")), ("vcard:hasEmail", mail),
        ("vcard:hasURL", Node("", website) if website else None)]))


def _mail(seen: ParkingSeen) -> Node | None:
    return Node("", f"mailto:{seen.town.contact}") if _MAIL.fullmatch(seen.town.contact) else None


def _licence(seen: ParkingSeen) -> Iri | None:
    address = licence_of(seen.town.licence, seen.town.licence_url)
    return Iri(address) if address else None


def _place(seen: ParkingSeen) -> Node:
    """The box around the zones, and the middle of the town."""
    points = [(zone.longitude, zone.latitude) for zone in seen.zones] or [(seen.tenant.site.longitude, seen.tenant.site.latitude)]
    west, east = min(x for x, _ in points), max(x for x, _ in points)
    south, north = min(y for _, y in points), max(y for _, y in points)
    ring = ((west, south), (east, south), (east, north), (west, north), (west, south))
    box = "POLYGON((" + ", ".join(f"{x:.6f} {y:.6f}" for x, y in ring) + "))"
    middle = f"POINT({(west + east) / 2:.6f} {(south + north) / 2:.6f})"
    return Node("dct:Location", "", (("dcat:bbox", Typed(box, "gsp:wktLiteral")),
                                     ("dcat:centroid", Typed(middle, "gsp:wktLiteral"))))


def _span(since: datetime) -> Node:
    return Node("dct:PeriodOfTime", "", (("dcat:startDate", _moment(since)),))


def _document(address: str) -> Node:
    return Node("foaf:Document", address)


def _moment(at: datetime) -> Typed:
    return Typed(stamp(at), "xsd:dateTime")


def _known(said: Iterable[tuple[str, Any]]) -> Sequence[tuple[str, Any]]:
    return tuple((predicate, value) for predicate, value in said if value is not None)


def _json(value: Any) -> Any:  # noqa: ANN401 - as JSON is
    match value:
        case Iri():
            return {"@id": value.address}
        case Text():
            return {"@value": clean(value.words), **({"@language": value.language} if value.language else {})}
        case Typed():
            return {"@value": value.text, "@type": value.type}
    found: dict[str, Any] = {"@id": value.address} if value.address else {}
    if value.type:
        found["@type"] = value.type
    for predicate, one in value.said:
        found.setdefault(predicate, []).append(_json(one))
    return found


def _xml(parent: ET.Element, value: Any) -> None:  # noqa: ANN401 - a Value
    """A description inside of its parent."""
    one = ET.SubElement(parent, value.type or "rdf:Description", {"rdf:about": value.address} if value.address else {})
    for predicate, told in value.said:
        match told:
            case Iri():
                ET.SubElement(one, predicate, {"rdf:resource": told.address})
            case Text():
                ET.SubElement(one, predicate, {"xml:lang": told.language} if told.language else {}).text = clean(told.words)
            case Typed():
                prefix, _, name = told.type.partition(":")
                ET.SubElement(one, predicate, {"rdf:datatype": PREFIXES[prefix] + name}).text = told.text
            case Node(type="", said=()):
                ET.SubElement(one, predicate, {"rdf:resource": told.address})
            case _:
                _xml(ET.SubElement(one, predicate), told)
