"""What a controller cannot hold as it is programmed, in a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Deviation:
    """`message` with `facts` is the sentence; days among them are dates, so that readers get them as they write them."""

    message: str
    facts: Mapping[str, object] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return self.message.format(**self.facts)
