"""Run a script's examples in the sandbox and compare what it says with what it should say.

Compared are JSON values, as the repositories' own tools do (lodash's isEqual there, equal JSON text at ChirpStack), but
the order of keys does not count, null is as good as no key, and numbers may differ by one part in 10⁹, since engines do
not round the last digit of a power alike. Where an example expects errors, the script must say these errors.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any

from city.errors import ScriptBreach, ScriptError
from decoders.codec import Frame
from decoders.javascript import Decoded, Program, Sandbox, Uplinked
from decoders.repository import Example, Found

BATCH = 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one example went: "" in `why` if as expected. `ran` is False where the script threw or broke a limit although
    no error was expected. `data` is what an uplink decoded to."""

    example: Example
    why: str = ""
    ran: bool = True
    data: Mapping[str, Any] | None = None

    @property
    def passed(self) -> bool:
        return not self.why


@dataclass(frozen=True, slots=True)
class Report:
    """How a codec did. `broken` says why the script cannot run at all, "" if it can."""

    found: Found
    outcomes: tuple[Outcome, ...] = ()
    broken: str = ""

    @property
    def passed(self) -> int:
        """Examples that went as expected."""
        return sum(one.passed for one in self.outcomes)

    @property
    def failed(self) -> int:
        """Examples that ran and said something else."""
        return sum(one.ran and not one.passed for one in self.outcomes)

    @property
    def errors(self) -> int:
        """Examples that threw or broke a limit, and everything that could not be read or run."""
        return sum(not one.ran for one in self.outcomes) + len(self.found.problems) + bool(self.broken)

    @property
    def good(self) -> bool:
        """Whether nothing at all is wrong."""
        return not self.failed and not self.errors


def run(found: Found, sandbox: Sandbox) -> Report:
    """Every example of the codec. Raises SandboxDown where no script can be run at all."""
    if not found.source.strip():
        return Report(found, broken="" if found.problems else "The script is empty.")
    program = Program(found.source)
    try:
        sandbox.check(program)
    except ScriptError as error:
        return Report(found, broken=str(error))
    outcomes: dict[int, Outcome] = {}
    for way in ("up", "normal"):
        outcomes |= _uplinks(program, [one for one in enumerate(found.examples) if one[1].way == way], sandbox)
    for number, example in enumerate(found.examples):
        if number not in outcomes:
            outcomes[number] = _downlink(program, example, sandbox)
    return Report(found, tuple(outcomes[number] for number in sorted(outcomes)))


def same(expected: object, actual: object) -> bool:
    """Whether two JSON values are alike, by the rules above."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        keys = {key for both in (expected, actual) for key, value in both.items() if value is not None}
        return all(same(expected.get(key), actual.get(key)) for key in keys)
    if isinstance(expected, list | tuple) and isinstance(actual, list | tuple):
        return len(expected) == len(actual) and all(map(same, expected, actual))
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return isclose(expected, actual, rel_tol=1e-9) if abs(expected) < 1e300 and abs(actual) < 1e300 else expected == actual
    return expected == actual


def _uplinks(program: Program, numbered: Sequence[tuple[int, Example]], sandbox: Sandbox) -> dict[int, Outcome]:
    found: dict[int, Outcome] = {}
    for start in range(0, len(numbered), BATCH):
        batch = numbered[start:start + BATCH]
        answers = sandbox.decode_uplinks(program, [Uplinked(one.frame, one.at) for _, one in batch],
                                         normalize=batch[0][1].way == "normal")
        found |= {number: _judged(one, answer) for (number, one), answer in zip(batch, answers, strict=True)}
    return found


def _downlink(program: Program, example: Example, sandbox: Sandbox) -> Outcome:
    ask: Callable[[], Frame | Decoded] = (
        (lambda: sandbox.encode_downlink(program, example.data)) if example.way == "down"
        else (lambda: sandbox.decode_downlink(program, example.frame)))
    try:
        answer: Frame | Decoded | ScriptError = ask()
    except ScriptError as error:
        answer = error
    return _judged(example, answer)


def _judged(example: Example, answer: Frame | Decoded | ScriptError) -> Outcome:
    errors = example.expected.get("errors") or []
    if isinstance(answer, ScriptError):
        expected = bool(errors) and not isinstance(answer, ScriptBreach)
        told = expected and all(str(error) in str(answer) for error in errors)
        return Outcome(example, "" if told else str(answer), ran=expected)
    if errors:
        said = answer.data if isinstance(answer, Decoded) else list(answer.data)
        return Outcome(example, f"says {_brief(said)} without the expected errors {_brief(errors)}")
    if isinstance(answer, Frame):
        return Outcome(example, _frame_differs(example.expected, answer))
    why = _data_differs(example, answer.data) \
        or _differs(example.expected.get("warnings") or [], list(answer.warnings))
    return Outcome(example, why, data=answer.data)


def _data_differs(example: Example, data: Mapping[str, Any]) -> str:
    """The Things Network's tool shows normalized measurements as a list even if there is only one; the sandbox numbers
    them where there are several."""
    expected = example.expected.get("data") or {}
    if example.way == "normal" and isinstance(expected, list):
        expected = expected[0] if len(expected) == 1 else {str(place): one for place, one in enumerate(expected)}
    return _differs(expected, data)


def _frame_differs(expected: Mapping[str, Any], answer: Frame) -> str:
    port = expected.get("fPort")
    return _differs(expected.get("bytes") or [], list(answer.data)) \
        or (_differs(port, answer.port) if port is not None else "")


def _differs(expected: object, actual: object) -> str:
    return "" if same(expected, actual) else f"says {_brief(actual)} instead of {_brief(expected)}"


def _brief(value: object) -> str:
    text = str(value)
    return text if len(text) <= 300 else f"{text[:300]}…"
