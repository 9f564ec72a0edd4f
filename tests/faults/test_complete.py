"""Every fault of the list has its test."""

import re
from pathlib import Path

FAULTS = 32


def test_every_fault_has_a_test():
    text = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert {int(number) for number in re.findall(r"^def test_f(\d\d)_", text, re.MULTILINE)} == set(range(1, FAULTS + 1))
