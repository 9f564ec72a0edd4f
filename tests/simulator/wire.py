"""A radio for a lamp or a bay that stands alone: what it sends is handed on, and nothing is in the air."""

from collections.abc import Callable

from decoders.codec import Frame


class Wire:
    """`hear` takes the frames; `rejoin` is called when the device restarts."""

    __slots__ = ("rejoin", "send")

    def __init__(self, hear: Callable[[Frame], None], rejoin: Callable[[], None] = lambda: None) -> None:
        self.send, self.rejoin = hear, rejoin
