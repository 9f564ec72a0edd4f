"""A town's asset list by upload: all or nothing, and every bad row named."""

URL = "/api/v1/tenants/alt/imports"
HEAD = "asset,kind,name,latitude,longitude,zone,circuit,dev_eui,model,power_w,lighting_class,restriction\n"
GOOD = HEAD + "N1,lamp,Neu 1,51.1,8.3,neu,,c0c0c0c0c0c0c0c0,nas/ul20xx,40,,\n"
MIXED = GOOD + "N2,lamp,Neu 2,99,8.3,neu,,,,,,\nN3,tree,,51,8.3,neu,,,,,,\n"


def test_a_good_list_goes_in(engineer, town):
    answer = engineer.post(URL, content=GOOD, headers={"Content-Type": "text/csv"})
    assert answer.json() == {"imported": 1, "passed_over": 0, "problems": []}
    assert town.asset("N1").name == "Neu 1"
    assert town.audit_lines()[0].action == "import"


def test_nothing_goes_in_unless_all_rows_hold(engineer, town):
    answer = engineer.post(URL, content=MIXED, headers={"Content-Type": "text/csv"})
    body = answer.json()
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["imported"] == 0
    assert [(item["line"], item["column"], item["rule"]) for item in body["problems"]] == [
        (3, "latitude", "range"), (4, "kind", "kind")]
    assert all(item["detail"] for item in body["problems"])
    assert "N1" not in {lamp.id for lamp in town.luminaires()}
    assert not town.audit_lines()


def test_the_good_rows_alone_on_demand(engineer, town):
    body = engineer.post(URL, params={"valid_only": True}, content=MIXED, headers={"Content-Type": "text/csv"}).json()
    assert (body["imported"], body["passed_over"]) == (1, 2)
    assert town.asset("N1")


def test_a_form_with_a_file(engineer):
    assert engineer.post(URL, files={"file": ("list.csv", GOOD)}).json()["imported"] == 1
    assert engineer.post(URL, files={"other": ("list.csv", GOOD)}).json()["field"] == "file"


def test_geojson(engineer, town):
    body = ('{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"asset":"G1","kind":"bay",'
            '"zone":"neu"},"geometry":{"type":"Point","coordinates":[8.1,51.2]}}]}')
    assert engineer.post(URL, content=body, headers={"Content-Type": "application/geo+json"}).json()["imported"] == 1
    assert town.asset("G1").site.longitude == 8.1


def test_what_is_no_list_is_refused(engineer):
    assert engineer.post(URL, content=b"\xff\xfe").json()["rule"] == "UTF-8"
    assert engineer.post(URL, content=b"").status_code == 422


def test_a_device_of_another_town_is_not_taken_over(engineer, store):
    stolen = HEAD + "N1,lamp,,51.1,8.3,neu,,b000000000000001,nas/ul20xx,40,,\n"
    assert engineer.post(URL, content=stolen).status_code == 409
    assert store.tenant("neu").device_of("L1").dev_eui == "b000000000000001"


def test_problems_are_named_in_german(engineer):
    answer = engineer.post(URL, content=MIXED, headers={"Accept-Language": "de"})
    assert answer.headers["content-language"] == "de"


def test_operators_do_not_import(operator):
    assert operator.post(URL, content=GOOD).status_code == 403


def test_a_list_may_be_larger_than_other_bodies_but_not_endless(engineer):
    padding = HEAD + "\n" * (2 * 2**20)
    assert engineer.post(URL, content=padding).json()["rule"] == "has rows"
    assert engineer.post(URL, content=b"x" * (17 * 2**20)).status_code == 413
