"""Where in InfluxDB what belongs: a bucket for each town, so that a town's token opens its own and no other.

`<bucket>_<town>` for readings, zones' quarters and figures; `_bays`, `_hours` and `_days` behind that, for each has a retention
of its own; `<bucket>__platform` for what is no town's. With influx.per_town = false all towns share `<bucket>`, and only the tag
`tenant` divides them: for one town, or for whoever may see all of them anyway.
"""

from dataclasses import replace

from city.ids import TenantId
from city.settings import Influx

PLATFORM_SUFFIX = "__platform"  # no town's: names of towns have no _


def of_town(settings: Influx, tenant: TenantId) -> Influx:
    """Where a town's readings go."""
    return replace(settings, bucket=f"{settings.bucket}_{tenant}", per_town=False) if settings.per_town else settings


def of_platform(settings: Influx) -> Influx:
    """Where the platform's own figures go."""
    return replace(settings, bucket=f"{settings.bucket}{PLATFORM_SUFFIX}", per_town=False)
