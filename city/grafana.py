"""How a town's things are called in Grafana, for who makes boards and for who links to them."""

import hashlib
from urllib.parse import quote, urlencode

from city.ids import TenantId

PLATFORM = "platform"  # stands for the tenant in what is no town's
MAX_UID = 40  # Grafana's


def uid(tenant: TenantId | None, name: str) -> str:
    """The fixed UID of a town's board, data source or folder, or of the platform's: readable where it fits Grafana's 40
    characters and no town takes the platform's."""
    plain = f"stadtfunk-{tenant or PLATFORM}-{name}"
    if len(plain) <= MAX_UID and tenant != PLATFORM:
        return plain
    return "stadtfunk-" + hashlib.sha256(plain.encode()).hexdigest()[:MAX_UID - 10]


def board(base: str, tenant: TenantId | None, name: str, **chosen: str) -> str:
    """The address of a board of the Grafana at `base`, with values for its variables; "" where there is no Grafana."""
    if not base:
        return ""
    query = urlencode([(f"var-{key}", value) for key, value in chosen.items()], quote_via=quote)
    return f"{base.rstrip('/')}/d/{uid(tenant, name)}" + (f"?{query}" if query else "")
