"""One device: everything it reports, grouped, its raw frames, and its long past. A lamp and a bay are chosen apart, for readings
of single bays are in a database of their own, which soon forgets them."""

from dataclasses import replace

from city.ids import TenantId
from city.quantities import (
    BAY_FIELD,
    BAY_OCCUPIED,
    BAY_PREVIOUS_MINUTES,
    DEVICE_BATTERY,
    DEVICE_BATTERY_VOLTAGE,
    DEVICE_FIRMWARE,
    DEVICE_TEMPERATURE,
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
from city.store.lines import column as stored
from dashboards import derived, queries
from dashboards.board import Board, Column, Draw, Look, Means, Panel, Query, Row, Source, Text, Unit, Variable
from dashboards.boards.common import DAYS_BACK, HOURS_BACK, LEVEL_STEP, LONG_TERM, NAMES, events, siblings, zones
from dashboards.console import page, variable
from dashboards.queries import CHOSEN_EVERY, Scope
from dashboards.words import YES_NO

MOST_ROWS = 100


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
                   Variable.interval()),
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


def _all(scope: Scope, source: Source, title: Text, own: str) -> Row:
    """The newest reports with every quantity of the table: numbers, what is true or false, and words. What only a channel of the
    device says (which data rate, which cause) has fields of its own in InfluxDB, and is not here."""
    kinds = ((Text("Zahlen", "numbers"), {Kind.FLOAT, Kind.INT}, 24), (Text("Ja und Nein", "yes and no"), {Kind.BOOL}, 12),
             (Text("Wörter", "words"), {Kind.TEXT}, 12))
    whose = {own: title, "device": Text("Gerät", "Device"), "radio": Text("Funk", "Radio")}
    panels = []
    for measurement, name in whose.items():
        for kind, kinds_of, width in kinds:
            shown = [one for one in quantities() if one.measurement == measurement and one.kind in kinds_of]
            if shown:
                panels.append(Panel(
                    (Query(queries.rows(measurement, [one.field for one in shown], scope, most=MOST_ROWS), shown[0]),),
                    Look.TABLE, width, 8, Text(f"{name.de}: {kind.de}", f"{name.en}: {kind.en}"),
                    Text("Die jüngsten hundert Meldungen; was das Gerät nicht meldet, bleibt leer.",
                         "The newest hundred reports; what the device does not report stays empty."), source=source,
                    columns=(Column("Time"), *(Column(one.field, one, words=YES_NO if one.kind is Kind.BOOL else {})
                                               for one in shown)), sort="-Time"))
    return Row(title, tuple(panels), collapsed=True)


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
