"""Colours of boards are seen on Grafana's light and dark background."""

import pytest

from dashboards import colours

BACKGROUNDS = {"light": "#FFFFFF", "dark": "#181B1F"}  # a panel's background in Grafana's two themes


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at:at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("background", BACKGROUNDS.values(), ids=BACKGROUNDS)
@pytest.mark.parametrize("colour", [*colours.PALETTE, colours.LOOK, colours.ACT])
def test_a_line_is_seen(colour, background):
    low, high = sorted((luminance(colour), luminance(background)))
    assert (high + 0.05) / (low + 0.05) >= 3


def test_no_two_are_the_same():
    assert len(set(colours.PALETTE)) == len(colours.PALETTE)
    assert colours.LOOK != colours.ACT
