"""The panel that dims: what its buttons and links are, in Grafana's words."""

import json

import pytest

from api.pages.addresses import address
from city.ids import TenantId
from dashboards.boards.dimming import dim_panel, dim_variables
from tests.dashboards.actions import actions, interpolated, request_of

CONSOLE = "https://licht.example"
CHOSEN = {"zone": ["markt"], "dim_level": "40", "dim_minutes": "60"}
SHOWN = {"zone": ["markt"], "dim_level": "40 %", "dim_minutes": "1 h"}  # the same in the format text
HOSTILE = '40", "emergency": true, "x": "\\'


def panel(language="de", console=CONSOLE):
    return dim_panel(TenantId("alt"), console)(language)


def elements(shown):
    return shown["options"]["root"]["elements"]


@pytest.mark.parametrize("language", ["de", "en"])
def test_three_buttons_ask_one_address_and_ask_the_person_first(language):
    found = list(actions(panel(language)))
    assert [json.loads(request_of(one, CHOSEN).body) for one in found] == [
        {"zone": "%7Bmarkt%7D", "level": "40", "minutes": "60"}, {"zone": "%7Bmarkt%7D", "level": "resume"},
        {"zone": "%7Bmarkt%7D", "level": "emergency", "minutes": "120"}]
    for one in found:
        request = request_of(one, CHOSEN)
        assert (request.method, request.url) == ("POST", f"{CONSOLE}/api/v1/tenants/alt/overrides/from-board")
        assert request.headers == {"Content-Type": "application/json", "X-Stadtfunk-Board": "1", "X-Grafana-Action": "1"}
        assert one["oneClick"] is True
        assert "markt" in interpolated(one["confirmation"], CHOSEN)


def test_the_question_says_what_will_be_done():
    question = interpolated(next(actions(panel()))["confirmation"], SHOWN)
    assert question == "Gebiet markt für 1 h auf 40 % dimmen?"


def test_nothing_that_a_viewer_reads_there_is_a_secret():
    written = json.dumps(panel())
    assert not [word for word in ("authorization", "cookie", "token", "csrf", "password", "sf_") if word in written.lower()]


@pytest.mark.parametrize("name", CHOSEN)
def test_what_a_link_puts_into_a_variable_does_not_leave_its_text(name):
    for one in actions(panel()):
        body = json.loads(request_of(one, {**CHOSEN, name: HOSTILE}).body)
        assert set(body) <= {"zone", "level", "minutes"}


def test_all_and_several_zones_still_give_json():
    for zones in (None, ["markt", "schule"]):
        assert json.loads(request_of(next(actions(panel())), {**CHOSEN, "zone": zones}).body)["level"] == "40"


@pytest.mark.parametrize("language", ["de", "en"])
def test_the_link_opens_the_console_s_dialog_with_the_same(language):
    shown = panel(language)
    links = [link for element in elements(shown) for link in element.get("links", ())]
    assert [link["url"] for link in links] == [link["url"] for link in shown["links"]]
    where = CONSOLE + address(language, "dim", tenant="alt")
    assert interpolated(links[0]["url"], CHOSEN) == f"{where}?zone=%7Bmarkt%7D&level=40&minutes=60"
    assert links[0]["targetBlank"] is True


def test_the_title_shows_what_is_chosen_because_canvas_texts_cannot():
    assert interpolated(panel()["title"], SHOWN) == "Dimmen: Gebiet markt · 40 % · 1 h"
    for element in elements(panel()):
        assert "${" not in element["config"]["text"]["fixed"]


def test_without_an_address_of_the_console_there_is_no_button_but_a_sentence():
    shown = panel(console="")
    assert not list(actions(shown))
    assert not shown["links"]
    assert "api.public_url" in elements(shown)[0]["config"]["text"]["fixed"]


def test_elements_lie_inside_the_panel_beside_one_another():
    boxes = [(place["left"], place["top"], 100 - place["right"], 100 - place["bottom"])
             for place in (element["placement"] for element in elements(panel()))]
    assert all(0 <= left < right <= 100 and 0 <= top < bottom <= 100 for left, top, right, bottom in boxes)
    for number, one in enumerate(boxes):
        for other in boxes[number + 1:]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_text_is_read_on_its_paper():
    def light(colour):
        parts = [int(colour[at:at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for element in elements(panel()):
        paper, ink = element["background"]["color"]["fixed"], element["config"]["color"]["fixed"]
        if paper != "transparent":
            one, other = sorted((light(paper), light(ink)))
            assert (other + 0.05) / (one + 0.05) >= 4.5, element["name"]


def test_until_somebody_chooses_it_is_full_light_for_a_short_time():
    level, minutes = dim_variables(TenantId("alt"))
    assert (level.name, level.options[0][1], minutes.name, minutes.options[0][1]) == ("dim_level", "100", "dim_minutes", "30")
    assert {int(value) for _, value in level.options} == set(range(0, 101, 10))
