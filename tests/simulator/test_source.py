"""Lines of tables and keys in TOML, as the standard library does not tell them."""

import tomllib

import pytest

from simulator.options import shipped
from simulator.source import Source, Steps

TEXT = '''# a comment with [brackets] and key = value
[town]
id = "a"   # = [ " '
"x/y" = 1
dotted.key = { inner = "]", more = [1,
  2] }
text = """
[not-a-table]
not_a_key = 1
"""
list = [ "]", # ]
  "[", 'x\\', [3,
4] ]
after = 'it''' + """'
[[street]]
name = "one"
  [[street.lamp]]
  at = [1, 2]
  [[street.lamp]]
  at = [3, 4]
[[street]]
name = 'two'
[[street.lamp]]
at = [
  5,
  6]
[mix.lamps]
"nas/ul20xx" = 0.5
"""
LINES: list[tuple[Steps, str]] = [
    (("town",), "[town]"), (("town", "id"), "id ="), (("town", "x/y"), '"x/y"'), (("town", "dotted", "key"), "dotted.key"),
    (("town", "text"), 'text = """'), (("town", "list"), "list ="), (("town", "after"), "after ="),
    (("street", 0, "name"), 'name = "one"'), (("street", 0, "lamp", 1, "at"), "  at = [3, 4]"),
    (("street", 1, "name"), "name = 'two'"), (("street", 1, "lamp", 0, "at"), "at = ["),
    (("mix", "lamps", "nas/ul20xx"), '"nas/ul'), (("street", 1, "lamp", 0, "at", 1), "at = ["),
    (("street", 0, "zone"), "[[street]]")]


@pytest.mark.parametrize(("steps", "begins"), LINES)
def test_a_table_and_a_key_are_found_where_they_stand(steps: Steps, begins: str) -> None:
    tomllib.loads(TEXT)
    line = Source("x.toml", TEXT).line(*steps)
    assert TEXT.splitlines()[line - 1].startswith(begins)


def test_what_stands_in_a_text_or_a_comment_is_no_table() -> None:
    found = Source("x.toml", TEXT)
    assert found.line("not-a-table") == found.line("not_a_key") == 1
    assert found.line("town", "not_a_key") == found.line("town")


def test_every_key_of_every_shipped_scenario_is_found() -> None:
    for path in shipped().values():
        text = path.read_text(encoding="utf-8")
        source, lines = Source(path.name, text), text.splitlines()
        for table, content in tomllib.loads(text).items():
            for index, one in enumerate(content if isinstance(content, list) else [content]):
                for key in one:
                    steps = (table, index, key) if isinstance(content, list) else (table, key)
                    line = lines[source.line(*steps) - 1]
                    assert line.startswith((f"{key} =", f'"{key}" =', f"[{table}.{key}]")), (path.name, steps)


def test_only_a_newline_ends_a_line() -> None:
    text = "# a\u2028b\x85c\r\n[town]\r\nid = 'x'\r\n"
    assert tomllib.loads(text)["town"] == {"id": "x"}
    assert Source("x.toml", text).line("town", "id") == 3
