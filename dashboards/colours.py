"""Colours of boards, after Okabe and Ito: told apart by people who see no red, green or blue, and each with a contrast of at
least 3 to 1 to Grafana's light and to its dark background (tests/dashboards/test_colours.py). Colour never says something alone:
a legend, a dash, a number or a word says it too."""

BLUE = "#0F7EC0"
ORANGE = "#B97A00"
GREEN = "#009E73"
VERMILLION = "#D55E00"
PURPLE = "#B8629A"
SKY = "#3A94C9"
GREY = "#7F7F7F"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, GREY)

FINE, LOOK, ACT = "transparent", ORANGE, "#C8403A"  # the background where all is well stays as it is

_OF_MEASUREMENT = {"lamp": ORANGE, "energy": GREEN, "parking": BLUE, "sensors": BLUE, "gateway": PURPLE, "radio": PURPLE,
                   "fleet": SKY, "control": BLUE, "faults": VERMILLION, "device": SKY, "bay": BLUE}


def of(measurement: str) -> str:
    """The colour of a quantity that is alone on its panel."""
    return _OF_MEASUREMENT.get(measurement, BLUE)
