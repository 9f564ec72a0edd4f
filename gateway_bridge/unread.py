"""A message that cannot be handled, as the dead letter that keeps it whole."""

import hashlib
from datetime import datetime

from city.errors import BadInput
from city.places import Tenant
from city.store.ports import DeadLetter
from gateway_bridge.link import Message


def dead_letter(message: Message, error: Exception, now: datetime, tenant: Tenant | None = None) -> DeadLetter:
    """The message kept whole, with the reason; the same message is the same letter."""
    reason = error.reason if isinstance(error, BadInput) else "InternalError"
    detail = str(error) if isinstance(error, BadInput) else f"{type(error).__name__}: {error}"
    return DeadLetter(letter_id(message), now, _plain(message.topic), message.payload, reason, _plain(detail)[:1000],
                      tenant.id if tenant else None)


def letter_id(message: Message) -> str:
    """The same for the same message."""
    return hashlib.sha256(message.topic.encode("utf-8", "replace") + b"\0" + message.payload).hexdigest()[:32]


def _plain(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
