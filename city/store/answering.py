"""Who answers questions about history: the local log, or InfluxDB where this process has no log of its own."""

from city.errors import Invalid
from city.settings import Settings
from city.store.influx_queries import InfluxQueries
from city.store.local_queries import LocalQueries
from city.store.ports import Store
from city.store.queries import Answers
from city.store.readings import LocalLog


def open_answers(settings: Settings, store: Store, log: LocalLog) -> Answers:
    """As `api.history` says; nothing is asked yet. Raises Invalid where it says nothing that exists, StoreDown."""
    match settings.api.history:
        case "local":
            return LocalQueries(log, store)
        case "influx" if settings.influx.url:
            return InfluxQueries(settings.influx)
        case "influx":
            raise Invalid("api.history asks for InfluxDB, but influx.url is empty.", field="influx.url", rule="not empty")
        case "auto":
            here = log.head() > 0 or not settings.influx.url
            return LocalQueries(log, store) if here else InfluxQueries(settings.influx)
    raise Invalid("api.history is local, influx or auto.", field="api.history", rule="one of three")
