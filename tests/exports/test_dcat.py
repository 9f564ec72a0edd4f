"""The catalogue record: the same statements in JSON-LD and in RDF/XML, as rdflib reads them, with what DCAT-AP.de asks for."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import DCAT, DCTERMS, FOAF, RDF, XSD, Graph, Literal, Namespace, URIRef
from rdflib.compare import isomorphic

from city.exports import dcat
from city.exports.dcat import Offer
from city.parking_places import TownParking
from tests.exports.parking import HOSTILE, NOW, seen, zone

DE = Namespace("http://dcat-ap.de/def/dcatde/")
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")
BASE = "https://data.example/opendata/altstadt"
DATASET = URIRef(f"{BASE}/catalogue#parking")
OFFERS = (Offer("zones.csv", "Zonen", "text/csv", "CSV"),
          Offer("sta/v1.1/Things", "SensorThings", "application/json", "JSON", service="sta/v1.1", conforms="http://example.org/x"))
TOWN = TownParking(operator="Stadt Altstadt", contact="parken@altstadt.example", region_code="059580012012",
                   website="https://altstadt.example/parken", attribution="© Stadt Altstadt")


def graphs(town: TownParking = TOWN) -> tuple[Graph, Graph]:
    record = dcat.catalogue(seen(zone(), town=town), OFFERS, NOW)
    return (Graph().parse(data=json.dumps(dcat.as_json_ld(record)), format="json-ld"),
            Graph().parse(data=dcat.as_rdf_xml(record), format="xml"))


def test_both_forms_say_the_same() -> None:
    one, other = graphs()
    assert len(one) > 80
    assert isomorphic(one, other)


def test_the_dataset_has_what_the_profile_requires_and_recommends() -> None:
    graph, _ = graphs()
    catalogue = next(graph.subjects(RDF.type, DCAT.Catalog))
    assert graph.value(catalogue, DCAT.dataset) == DATASET
    for wanted in (DCTERMS.title, DCTERMS.description, DCTERMS.publisher, DCAT.contactPoint, DCAT.theme, DCAT.keyword,
                   DCTERMS.spatial, DCTERMS.temporal, DCTERMS.accrualPeriodicity, DCTERMS.modified, DCTERMS.language,
                   DCTERMS.accessRights, DCTERMS.identifier, DCAT.landingPage, DE.politicalGeocodingLevelURI):
        assert (DATASET, wanted, None) in graph, wanted
    assert graph.value(DATASET, DE.politicalGeocodingURI) == URIRef(
        "http://dcat-ap.de/def/politicalGeocoding/regionalKey/059580012012")
    assert str(graph.value(DATASET, DCAT.theme)).endswith("/data-theme/TRAN")
    publisher = graph.value(DATASET, DCTERMS.publisher)
    assert (publisher, RDF.type, FOAF.Organization) in graph
    assert graph.value(publisher, FOAF.name) == Literal("Stadt Altstadt")
    contact = graph.value(DATASET, DCAT.contactPoint)
    assert graph.value(contact, VCARD.hasEmail) == URIRef("mailto:parken@altstadt.example")
    box = graph.value(graph.value(DATASET, DCTERMS.spatial), DCAT.bbox)
    assert re.fullmatch(r"POLYGON\(\((-?[\d.]+ -?[\d.]+(, )?){5}\)\)", str(box))
    assert graph.value(DATASET, DCTERMS.modified).datatype == XSD.dateTime  # type: ignore[union-attr]


def test_each_distribution_has_its_address_licence_and_types() -> None:
    graph, _ = graphs()
    found = list(graph.objects(DATASET, DCAT.distribution))
    assert len(found) == len(OFFERS)
    for one in found:
        assert str(graph.value(one, DCAT.accessURL)).startswith(BASE)
        assert graph.value(one, DCTERMS.license) == URIRef("http://dcat-ap.de/def/licenses/cc-by/4.0")
        assert graph.value(one, DE.licenseAttributionByText) == Literal("© Stadt Altstadt", lang="de")
        assert str(graph.value(one, DCAT.mediaType)).startswith("http://www.iana.org/assignments/media-types/")
        assert "/file-type/" in str(graph.value(one, DCTERMS["format"]))
    service = next(graph.subjects(RDF.type, DCAT.DataService))
    assert graph.value(service, DCAT.servesDataset) == DATASET
    assert (None, DCAT.accessService, service) in graph


@pytest.mark.parametrize(("name", "address", "found"), [
    ("CC BY 4.0", "", "http://dcat-ap.de/def/licenses/cc-by/4.0"), ("dl-de/by-2-0", "", "http://dcat-ap.de/def/licenses/dl-by-de/2.0"),
    ("DL-DE->Zero-2.0", "", "http://dcat-ap.de/def/licenses/dl-zero-de/2.0"),
    ("CC0", "", "http://dcat-ap.de/def/licenses/cc-zero"),
    ("Hauslizenz", "https://altstadt.example/lizenz", "https://altstadt.example/lizenz"), ("", "javascript:alert(1)", "")])
def test_licences_are_named_as_the_list_of_the_profile_does(name: str, address: str, found: str) -> None:
    assert dcat.licence_of(name, address) == found


def test_what_a_town_has_not_said_is_left_out() -> None:
    graph, _ = graphs(TownParking())
    assert (DATASET, DCAT.contactPoint, None) not in graph
    assert (DATASET, DE.politicalGeocodingURI, None) not in graph
    assert graph.value(graph.value(DATASET, DCTERMS.publisher), FOAF.name) == Literal("Altstadt")


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60), st.text(max_size=20))
def test_hostile_words_of_a_town_stay_words(operator: str, website: str, contact: str, region: str) -> None:
    town = TownParking(operator=operator + HOSTILE, website=website, contact=contact, region_code=region, attribution=HOSTILE,
                       licence=operator, licence_url=website)
    one, other = graphs(town)
    assert isomorphic(one, other)
    schemes = {str(address).partition(":")[0] for address in one.objects() if isinstance(address, URIRef)}
    assert schemes <= {"http", "https", "mailto"}
