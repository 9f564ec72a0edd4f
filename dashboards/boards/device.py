"""One device: everything it reports, grouped, its raw frames, and its long past. A lamp and a bay are chosen apart, for readings
of single bays are in a database of their own, which soon forgets them."""

from collections.abc import Sequence
from dataclasses import replace

from city.ids import TenantId
from city.quantities import (
    BAY_FIELD,
    BAY_OCCUPIED,
    BAY_PREVIOUS_MINUTES,
    DEVICE_BATTERY,
    DEVICE_BATTERY_VOLTAGE,
    DEVICE_CLOCK,
    DEVICE_FIRMWARE,
    DEVICE_TEMPERATURE,
    DEVICE_TIME_OF_DAY,
    DEVICE_UPTIME,
    LAMP_BURN_TIME,
    LAMP_CURRENT,
    LAMP_DRIVER_ERROR,
    LAMP_ENERGY,
    LAMP_FAILURE,
    LAMP_LEVEL,
    LAMP_MODE,
    LAMP_ORDERED_LEVEL,
    LAMP_POWER,
    LAMP_POWER_FACTOR,
    LAMP_REASON,
    LAMP_SUNRISE,
    LAMP_SUNSET,
    LAMP_VOLTAGE,
    RADIO_DR,
    RADIO_FCNT,
    RADIO_GATEWAYS,
    RADIO_RSSI,
    RADIO_SNR,
    Kind,
    Quantity,
    quantities,
)
from city.store.influx_schema import PLACE_TAGS
from city.store.lines import column as stored
from city.store.lines import has_facets
from dashboards import derived, queries
from dashboards.board import Board, Column, Draw, Look, Means, Panel, Query, Row, Source, Text, Unit, Variable
from dashboards.boards.common import DAYS_BACK, HOURS_BACK, LEVEL_STEP, LONG_TERM, NAMES, events, siblings, zones
from dashboards.console import page, variable
from dashboards.queries import CHOSEN_EVERY, Scope
from dashboards.words import YES_NO

MOST_ROWS = 100
_PLAIN = Unit("none", 3)  # of numbers of which nobody knows what they mean
_CLOCK = Text("Uhr des Geräts (s seit 1970)", "Device’s clock (s since 1970)")
_UNITS = {DEVICE_CLOCK: Unit("none", 0),  # Grafana knows moments in ms only
          **dict.fromkeys((LAMP_SUNRISE, LAMP_SUNSET, DEVICE_TIME_OF_DAY), Unit("dtdurations", 0))}
_TAGS = tuple(Column(tag, hidden=True) for tag in PLACE_TAGS if tag != "channel")


def device(tenant: TenantId, console: str = "") -> Board:
    """The board of one town's devices; `console` is the address of its console, "" for none."""
    lamp, bay, zoned = Scope(tenant, {"asset": "asset"}), Scope(tenant, {"asset": "bay"}), Scope(tenant, {"zone": "zone"})
    own = lamp.with_fixed(channel="")
    return Board(
        "device", tenant, NAMES["device"], tags=("stadtfunk", "device"), since="now-2d", annotations=events(tenant),
        variables=(zones(Scope(tenant), "fleet"),
                   Variable.asked("asset", Text("Leuchte", "Lamp"), queries.choices("radio", zoned, tag="asset"), multi=False),
                   Variable.asked("bay", Text("Stellplatz", "Bay"), queries.choices("radio", zoned, tag="asset"), multi=False,
                                  source=Source.BAYS),
                   Variable.interval(), _own_measurement(lamp, Source.RAW), _own_measurement(bay, Source.BAYS)),
        links=(*siblings(tenant, "device"),
               *page(console, "lamp", Text("Leuchte in der Konsole", "Lamp in the console"), tenant, asset=variable("asset")),
               *page(console, "staff-bay", Text("Stellplatz in der Konsole", "Bay in the console"), tenant,
                     asset=variable("bay"))),
        help=Text("Alles, was eine Leuchte oder ein Parksensor meldet. Was ein Gerät nicht meldet, bleibt leer. Einzelne "
                  "Stellplätze werden nur so lange gezeigt, wie der Datenschutz es zulässt.",
                  "Everything that a lamp or a parking sensor reports. What a device does not report stays empty. Single bays "
                  "are shown only as long as data protection allows."),
        rows=(_newest(own, lamp), _light(own), _mains(own), _radio(lamp, Source.RAW, Text("Leuchte: Gerät und Funk",
                                                                                          "Lamp: device and radio")),
              _bay(bay), _radio(bay, Source.BAYS, Text("Stellplatz: Gerät und Funk", "Bay: device and radio"), collapsed=True),
              _all(lamp, Source.RAW, Text("Leuchte: alles, was sie meldet", "Lamp: everything that it reports"), "lamp"),
              _all(bay, Source.BAYS, Text("Stellplatz: alles, was er meldet", "Bay: everything that it reports"), "bay"),
              _others(lamp, Source.RAW, Text("Leuchte: Cayenne LPP und nicht Zugeordnetes", "Lamp: Cayenne LPP and not mapped")),
              _others(bay, Source.BAYS, Text("Stellplatz: Cayenne LPP und nicht Zugeordnetes",
                                             "Bay: Cayenne LPP and not mapped")),
              _frames(lamp, Source.RAW, Text("Leuchte: rohe Rahmen", "Lamp: raw frames")),
              _frames(bay, Source.BAYS, Text("Stellplatz: rohe Rahmen", "Bay: raw frames")), _long(own, lamp)))


def _newest(own: Scope, whole: Scope) -> Row:
    numbers = (LAMP_LEVEL, LAMP_POWER, LAMP_VOLTAGE, LAMP_CURRENT, LAMP_POWER_FACTOR, LAMP_ENERGY, LAMP_BURN_TIME)
    radio = (DEVICE_TEMPERATURE, RADIO_RSSI, RADIO_SNR, RADIO_DR, RADIO_GATEWAYS)
    asked = [*((one, own) for one in numbers), *((one, whole) for one in radio)]
    return Row(Text("Leuchte: zuletzt gemeldet", "Lamp: reported last"), (
        Panel(tuple(Query(queries.newest(one, scope), one) for one, scope in asked), Look.NUMBER, 24, 5,
              Text("Letzte Werte", "Latest values"),
              Text("Der letzte Wert jeder Größe im gewählten Zeitraum", "Each quantity's latest value in the chosen time")),
        Panel((Query(queries.newest(LAMP_LEVEL, own), LAMP_LEVEL),), Look.AGE, 6, 5, Text("Letzte Meldung", "Latest report"),
              Text("Wann die Leuchte zuletzt ihr Niveau gemeldet hat", "When the lamp last reported its level")),
        _words(own, (LAMP_REASON, LAMP_MODE, LAMP_FAILURE, LAMP_DRIVER_ERROR)), _words(whole, (DEVICE_FIRMWARE, DEVICE_UPTIME))))


def _words(scope: Scope, shown: tuple[Quantity, ...]) -> Panel:
    """What is said in words, or is true or false: the newest reports that say any of it."""
    fields = tuple(stored(one)[1] for one in shown)
    title = Text("Was sie von sich sagt", "What it says of itself") if shown[0] is LAMP_REASON else Text("Gerät", "Device itself")
    return Panel((Query(queries.rows(shown[0].measurement, fields, scope, most=20), shown[0]),), Look.TABLE, 9, 5, title,
                 Text("Die jüngsten Meldungen", "The newest reports"),
                 columns=(Column("Time"), *(Column(field, one, words=YES_NO if one.kind is Kind.BOOL else {})
                                            for field, one in zip(fields, shown, strict=True))), sort="-Time")


def _light(own: Scope) -> Row:
    return Row(Text("Leuchte: Licht und Energie", "Lamp: light and energy"), (
        Panel((_line(LAMP_LEVEL, own), replace(_line(LAMP_ORDERED_LEVEL, own), dashed=True)), Look.LINES, 8, 8,
              help=Text("Wie die Leuchte es meldet; gestrichelt, was ihr zuletzt angeordnet wurde, falls sie auch das meldet",
                        "As the lamp reports it; dashed: what it was told last, if it reports that too"),
              draw=Draw.STEPS, shortest=LEVEL_STEP),
        _chart(LAMP_POWER, own, draw=Draw.STEPS),
        Panel((Query(queries.gain(LAMP_ENERGY, own, into=derived.LAMP_ENERGY_GAIN, by=(), every="1h"), derived.LAMP_ENERGY_GAIN,
                     Means.SUM),), Look.LINES, 8, 8, Text("Zuwachs des Zählers je Stunde", "Increase of the meter by hour"),
              Text("Betriebsmesswert, nicht abrechnungsfähig", "For operation only, not for billing"), draw=Draw.BARS,
              shortest="1h")))


def _mains(own: Scope) -> Row:
    return Row(Text("Leuchte: Netz", "Lamp: mains"), tuple(_chart(one, own) for one in (LAMP_VOLTAGE, LAMP_CURRENT,
                                                                                         LAMP_POWER_FACTOR)))


def _radio(scope: Scope, source: Source, title: Text, *, collapsed: bool = False) -> Row:
    shown = (DEVICE_TEMPERATURE, DEVICE_BATTERY, DEVICE_BATTERY_VOLTAGE, RADIO_RSSI, RADIO_SNR, RADIO_DR, RADIO_GATEWAYS)
    every = tuple(_chart(one, scope, source=source, width=6, draw=Draw.STEPS if one in (RADIO_DR, RADIO_GATEWAYS) else Draw.LINE)
                  for one in shown)
    counter = Panel((Query(queries.series(RADIO_FCNT, scope, by=(), every=CHOSEN_EVERY, of="max"), RADIO_FCNT),), Look.LINES,
                    6, 8, help=Text("Fällt er, hat sich das Gerät neu angemeldet; eine Stufe zeigt verlorene Rahmen.",
                              "Where it falls the device has joined anew; a step shows lost frames."), source=source,
                    draw=Draw.STEPS, shortest=LEVEL_STEP)
    return Row(title, (*every, counter), collapsed)


def _bay(bay: Scope) -> Row:
    own = bay.with_fixed(channel="")
    state = queries.rows("bay", (BAY_OCCUPIED.field, BAY_PREVIOUS_MINUTES.field), own, most=MOST_ROWS)
    words = {"true": Text("● belegt", "● taken"), "false": Text("○ frei", "○ free")}
    return Row(Text("Stellplatz", "Bay"), (
        Panel((Query(state, BAY_OCCUPIED),), Look.TABLE, 12, 9, Text("Meldungen des Stellplatzes", "Reports of the bay"),
              Text("Die jüngsten hundert", "The newest hundred"), source=Source.BAYS,
              columns=(Column("Time"), Column(BAY_OCCUPIED.field, BAY_OCCUPIED, words=words),
                       Column(BAY_PREVIOUS_MINUTES.field, BAY_PREVIOUS_MINUTES)), sort="-Time"),
        Panel((Query(queries.series(BAY_FIELD, bay, by=("channel",), every=CHOSEN_EVERY), BAY_FIELD, legend="$tag_channel"),),
              Look.LINES, 12, 9, help=Text("Wie der Sensor es zählt, je Achse", "As the sensor counts it, by axis"),
              source=Source.BAYS, shortest=LEVEL_STEP)), collapsed=True)


def _own_measurement(scope: Scope, source: Source) -> Variable:
    """$own, $own_bays: where InfluxDB has what a device's own script says and nobody has mapped. Its name has the device's model
    in it, and so only this model's fields."""
    return Variable.asked(_own(source), Text("Nicht zugeordnet", "Not mapped"), queries.own_measurements(scope), multi=False,
                          source=source, hidden=True)


def _own(source: Source) -> str:
    return "own" if source is Source.RAW else f"own_{source.value}"


def _all(scope: Scope, source: Source, title: Text, own: str) -> Row:
    """The newest reports with every field that InfluxDB has: by the table of quantities, of a single channel, of a script."""
    known = {own: Text("Leuchte", "Lamp") if own == "lamp" else Text("Stellplatz", "Bay"), "device": Text("Gerät", "Device"),
             "radio": Text("Funk", "Radio")}
    return Row(title, tuple(_whole(measurement, scope, source, name, *_of(measurement)) for measurement, name in known.items()),
               collapsed=True)


def _others(scope: Scope, source: Source, title: Text) -> Row:
    """The same of what most devices do not say: numbered channels, and what is a script's own."""
    return Row(title, (_whole("lpp", scope, source, Text("Cayenne LPP", "Cayenne LPP"), *_of("lpp")),
                       _whole(f"${_own(source)}", scope, source, Text("Nicht zugeordnet", "Not mapped")),
                       *_means(scope, source)), collapsed=True)


def _of(measurement: str) -> tuple[Quantity, ...]:
    return tuple(one for one in quantities() if one.measurement == measurement)


def _whole(measurement: str, scope: Scope, source: Source, title: Text, *known: Quantity) -> Panel:
    said = Text("Die jüngsten hundert Meldungen mit allen Größen, die Geräte dieser Art in der Stadt melden; was dieses nicht "
                "meldet, bleibt leer.",
                "The newest hundred reports with all quantities that devices of this kind report in the town; what this one does "
                "not report stays empty.")
    return Panel((Query(queries.whole(measurement, scope, most=MOST_ROWS), (*known, derived.RAW_VALUE)[0]),), Look.TABLE, 24, 8,
                 title, said, source=source, columns=(Column("Time"), Column("channel"), *_columns(known), *_TAGS), sort="-Time",
                 unit=_PLAIN, whole=True)


def _columns(known: Sequence[Quantity]) -> tuple[Column, ...]:
    return tuple(Column(stored(one)[1], one, unit=_UNITS.get(one), words=YES_NO if one.kind is Kind.BOOL else {},
                        title=_CLOCK if one is DEVICE_CLOCK else None, facets=has_facets(one)) for one in known)


def _means(scope: Scope, source: Source) -> tuple[Panel, ...]:
    """Charts of all their numbers."""
    return tuple(
        Panel((Query(queries.means(measurement, scope), (*known, derived.RAW_VALUE)[0], legend="$col"),), Look.LINES, 12, 8,
              title, said, source=source, unit=_PLAIN, columns=_columns(known), shortest=LEVEL_STEP, whole=True)
        for measurement, known, title, said in (
            ("lpp", _of("lpp"), Text("Cayenne LPP: Verlauf", "Cayenne LPP: through time"),
             Text("Zahlen aller Kanäle; Kanäle, die nur andere Geräte der Stadt haben, stehen ohne Wert dabei.",
                  "Numbers of all channels; channels that only other devices of the town have stand there without a value.")),
            (f"${_own(source)}", (), Text("Nicht zugeordnet: Verlauf", "Not mapped: through time"),
             Text("Was das eigene Skript des Geräts sagt und niemand einer Größe zugeordnet hat, mit dessen Namen",
                  "What the device's own script says and nobody has mapped to a quantity, under the script's names"))))


def _frames(scope: Scope, source: Source, title: Text) -> Row:
    shown = (derived.FRAME_PORT, derived.FRAME_FCNT, derived.FRAME_HEX)
    return Row(title, (
        Panel((Query(queries.rows("frame", [one.field for one in shown], scope, most=MOST_ROWS), derived.FRAME_PORT),),
              Look.TABLE, 24, 9, Text("Rahmen, wie sie ankamen", "Frames as they came"),
              Text("Die jüngsten hundert, soweit influx.frames sie aufbewahrt",
                   "The newest hundred, where influx.frames keeps them"),
              source=source, columns=(Column("Time", width=190), *(
                  Column(one.field, one, unit=Unit("none", 0), width=110 if one is not derived.FRAME_HEX else 0)
                  for one in shown)), sort="-Time"),), collapsed=True)


def _long(own: Scope, whole: Scope) -> Row:
    def hours(quantity: Quantity, scope: Scope) -> Panel:
        def hourly(part: queries.Rolled, word: Text) -> Query:
            return Query(queries.series(quantity, scope, by=(), rolled=part), quantity, legend=word, dashed=part != "mean")

        every = (hourly("mean", Text("Mittel", "mean")), hourly("min", Text("kleinster", "lowest")),
                 hourly("max", Text("größter", "highest")))
        return Panel(every, Look.LINES, 12, 8, help=Text("Stundenwerte", "Hourly values"), source=Source.HOURS,
                     shortest="1h", time_from=HOURS_BACK)

    return Row(LONG_TERM, (
        hours(LAMP_LEVEL, own), hours(LAMP_POWER, own), hours(LAMP_VOLTAGE, own), hours(DEVICE_TEMPERATURE, whole),
        hours(RADIO_RSSI, whole),
        Panel((Query(queries.gain(LAMP_ENERGY, own, into=derived.LAMP_ENERGY_GAIN, by=(), every="7d", rolled=True),
                     derived.LAMP_ENERGY_GAIN, Means.SUM),), Look.LINES, 12, 8,
              Text("Zuwachs des Zählers je Woche", "Increase of the meter by week"),
              Text("Betriebsmesswert, nicht abrechnungsfähig", "For operation only, not for billing"), source=Source.DAYS,
              draw=Draw.BARS, shortest="7d", time_from=DAYS_BACK)), collapsed=True)


def _line(quantity: Quantity, scope: Scope) -> Query:
    return Query(queries.series(quantity, scope, by=(), every=CHOSEN_EVERY), quantity)


def _chart(quantity: Quantity, scope: Scope, *, source: Source = Source.RAW, width: int = 8, draw: Draw = Draw.LINE) -> Panel:
    return Panel((_line(quantity, scope),), Look.LINES, width, 8, source=source, draw=draw, shortest=LEVEL_STEP)
