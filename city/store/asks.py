"""Questions to single devices: the half of a TenantStore that keeps them."""

from datetime import datetime, timedelta

from sqlalchemy import delete

from city.errors import NotFound
from city.ids import AssetId
from city.store.scope import Scope
from city.store.tables import assets
from city.store.tables_asks import asks

KEPT = timedelta(days=1)


class AskPart:
    """Which devices people want to report."""

    _scope: Scope

    def ask_device(self, asset: AssetId, actor: str, now: datetime) -> None:
        """See AskStore."""
        with self._scope.database.write() as connection:
            if connection.execute(self._scope.select(assets, assets.c.id == asset)).first() is None:
                raise NotFound("There is no asset “{asset}”.", field="asset", rule="exists", asset=asset[:64])
            connection.execute(delete(asks).where(asks.c.tenant == self._scope.tenant.id, asks.c.at < now - KEPT))
            connection.execute(self._scope.database.upsert(asks), self._scope.row({"asset": asset, "at": now, "actor": actor}))
            self._scope.intended(connection)

    def asked(self, since: datetime) -> dict[AssetId, datetime]:
        """See AskStore."""
        with self._scope.database.read() as connection:
            return {AssetId(row.asset): row.at for row in connection.execute(self._scope.select(asks, asks.c.at > since))}
