"""Removing what an older version of this program has left of single bays among all other readings, and in hours and days: where
all towns shared one place (that version knew no other), and in each town's own, should somebody have put it there.

By tenant and asset, so that also goes what a bay's sensor has said of radio and battery. 1.x: DROP SERIES. 2.x: POST
/api/v2/delete. VictoriaMetrics: /api/v1/admin/tsdb/delete_series. InfluxDB 3 Core cannot remove single series.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial

from city.errors import Invalid
from city.ids import AssetId, TenantId
from city.settings import Influx
from city.store import influxql
from city.store.aggregates import settings_of, spans
from city.store.influx import InfluxDB, InfluxHeld, RejectedQuery
from city.store.influx_bays import NOT_THERE, Server, look
from city.store.influx_http import Answer, Http
from city.store.influx_places import of_town

AT_ONCE = 200  # bays in one statement of 1.x
BEGIN, END = "1970-01-01T00:00:00Z", "2262-01-01T00:00:00Z"

Bay = tuple[TenantId, AssetId]


def forget_bays(settings: Influx, bays: Sequence[Bay]) -> None:
    """Remove all that is said of these bays where it does not belong; doing it again does no harm. Raises Invalid where the
    server cannot, InfluxHeld where it does not let us, InfluxDown."""
    server = look(settings).server
    match server:
        case Server.ONE:
            for place, its in _places(settings, bays):
                _drop(place, its)
        case Server.TWO:
            for place, its in _places(settings, bays):
                _each(place, its, partial(_delete, place))
        case Server.VICTORIA:
            _each(settings, bays, _delete_series)
        case _:
            raise Invalid("{server} cannot remove readings of single bays: set another influx.bucket, and remove the old one.",
                          field="influx.url", rule="removes series", server=server.value)


def _places(settings: Influx, bays: Sequence[Bay]) -> Iterator[tuple[Influx, Sequence[Bay]]]:
    """Where which bays may be."""
    parts: list[tuple[Influx, Sequence[Bay]]] = [(settings, bays)]
    if settings.per_town:
        towns = sorted({town for town, _ in bays})
        parts += [(of_town(settings, town), [bay for bay in bays if bay[0] == town]) for town in towns]
    for whole, its in parts:
        yield whole, its
        yield from ((settings_of(span, whole), its) for span in spans(settings))


def _drop(place: Influx, bays: Sequence[Bay]) -> None:
    with closing(InfluxDB(place)) as database:
        for begin in range(0, len(bays), AT_ONCE):
            part = bays[begin:begin + AT_ONCE]
            which = " OR ".join(f"({_is('tenant', tenant)} AND {_is('asset', asset)})" for tenant, asset in part)
            try:
                database.query(f"DROP SERIES WHERE {which}")
            except RejectedQuery as error:
                if NOT_THERE in str(error):
                    return
                raise InfluxHeld("InfluxDB does not remove readings of single bays: {words}", held="forbidden",
                                 words=str(error)) from error


def _is(key: str, value: str) -> str:
    return f"{influxql.name(key)} = {influxql.text(influxql.said(value))}"


def _each(place: Influx, bays: Sequence[Bay], ask: Callable[[Http, str, str], Answer]) -> None:
    with closing(Http(place)) as http:
        for tenant, asset in bays:
            answer = ask(http, _quoted(influxql.said(tenant)), _quoted(influxql.said(asset)))
            if answer.status == 404 and NOT_THERE in answer.words:
                return
            if not 200 <= answer.status < 300:
                raise InfluxHeld("InfluxDB does not remove readings of single bays: {words}", held="forbidden",
                                 words=answer.words)


def _quoted(text: str) -> str:
    """In quotes, as 2.x's predicates and VictoriaMetrics' selectors have them."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _delete(place: Influx, http: Http, tenant: str, asset: str) -> Answer:
    query = {"bucket": place.bucket} | ({"org": place.org} if place.org else {})
    return http.post_json("api/v2/delete", {"start": BEGIN, "stop": END, "predicate": f"tenant={tenant} AND asset={asset}"},
                          query=query)


def _delete_series(http: Http, tenant: str, asset: str) -> Answer:
    return http.post("api/v1/admin/tsdb/delete_series", {}, {"match[]": f"{{tenant={tenant},asset={asset}}}"})
