"""One line of audit for each change that anybody asks for."""

from datetime import datetime

from api.auth import Actor
from city.store.ports import AuditLine, TenantStore

MAX_DETAIL = 500


def line(who: Actor, now: datetime, action: str, target: str, detail: str = "") -> AuditLine:
    """Who does what, for a change that the store keeps together with it."""
    return AuditLine(now, who.name, action, target, detail[:MAX_DETAIL])


def record(town: TenantStore, who: Actor, now: datetime, action: str, target: str, detail: str = "") -> None:
    """Write down who does what. Done before the change itself: an intent too many in the audit is the lesser evil."""
    town.audit(line(who, now, action, target, detail))
