"""Each bench writes its own section of the page, and no other."""

from bench._page import measured, put


def test_a_section_is_replaced_in_its_place_and_the_others_stay(tmp_path):
    page = tmp_path / "performance.md"
    put(page, "queries", "## Questions\n\n```\nslow\n```\n")
    put(page, "bridge", "## Bridge\n\n| a | b |")
    put(page, "queries", "## Questions\n\nfast")
    text = page.read_text()
    assert text.startswith("# How fast it is\n")
    assert text.index("## Bridge") < text.index("## Questions")
    assert "slow" not in text
    assert text.count("fast\n") == text.count("| a | b |\n") == 1
    put(page, "queries", "## Questions\n\nfast")
    assert page.read_text() == text


def test_when_and_on_what_is_said():
    assert "Python 3" in measured()
    assert "cores of" in measured()
