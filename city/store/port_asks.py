"""What the platform asks of storage about questions to single devices; see city.store.ports."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from city.ids import AssetId


class AskStore(Protocol):
    """One tenant's questions. People write them, the bridge reads."""

    def ask_device(self, asset: AssetId, actor: str, now: datetime) -> None:
        """Have the asset's device report at once. Raises NotFound where the town has no such asset."""
        ...
    def asked(self, since: datetime) -> Mapping[AssetId, datetime]:
        """When each asset was last asked, as far as that was after `since`."""
        ...
