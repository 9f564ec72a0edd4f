"""The radio network: what each gateway hears and how well, what gets lost, how much of the lawful time on air is used, and which
devices are hard to hear."""

from city import figures
from city.ids import TenantId
from city.quantities import RADIO_DR, RADIO_GATEWAYS, RADIO_RSSI, RADIO_SNR, Quantity
from dashboards import colours, derived, queries
from dashboards.board import COUNT, Board, Column, Draw, Look, Means, Panel, Query, Row, Source, Text, Variable
from dashboards.boards.common import (
    DAYS_BACK,
    FIGURES_STEP,
    HOURS_BACK,
    LATELY,
    LEVEL_STEP,
    LONG_TERM,
    NAMES,
    siblings,
    to_device,
    zones,
)
from dashboards.console import column, page
from dashboards.queries import Scope

MOST_GATEWAYS, MOST_WEAK = 200, 25
DAY = "24h"  # enough reports of each device for a mean
_MISSED, _SENT = 'sum("missed")', 'sum("missed") + sum("best")'
_SF_COLOURS = (colours.SKY, colours.BLUE, colours.GREEN, colours.ORANGE, colours.VERMILLION, colours.PURPLE)


def network(tenant: TenantId, console: str = "") -> Board:
    """The board of one town; `console` is the address of its console, "" for none."""
    heard = Scope(tenant, {"gateway": "gateway"})
    zoned = Scope(tenant, {"zone": "zone"})
    gateways = Variable.asked("gateway", Text("Funkstation (Gateway)", "Gateway"),
                              queries.choices("gateway", Scope(tenant), tag="gateway"))
    return Board(
        "network", tenant, NAMES["network"], tags=("stadtfunk", "network"),
        variables=(gateways, zones(Scope(tenant), "fleet")),
        links=(*siblings(tenant, "network"), *page(console, "alarms", Text("Störungen in der Konsole", "Alarms in the console"),
                                                   tenant)),
        help=Text("Was jedes Gateway von den Geräten der Stadt hört, was verloren geht, und wie viel der erlaubten Sendezeit "
                  "unsere Befehle brauchen.",
                  "What each gateway hears of the town's devices, what gets lost, and how much of the lawful time on air our "
                  "commands take."),
        rows=(_now(heard, zoned), _gateways(heard), _quality(heard), _silent(zoned), _devices(tenant, console, zoned),
              _long(zoned)))


def _now(heard: Scope, zoned: Scope) -> Row:
    return Row(Text("Jetzt", "Now"), (
        _stat(queries.summed(figures.GATEWAY_BEST, heard), figures.GATEWAY_BEST, Means.SUM,
              Text("Rahmen in der letzten Stunde", "Frames in the past hour"),
              Text("Jeder Rahmen einmal, beim Gateway, das ihn am besten hörte",
                   "Each frame once, at the gateway that heard it best")),
        _stat(queries.share(derived.GATEWAY_MISSED_SHARE, _MISSED, _SENT, "gateway", heard), derived.GATEWAY_MISSED_SHARE,
              Means.VALUE, None, Text("Nach den Rahmenzählern der Geräte, in der letzten Stunde.",
                                      "By the devices' frame counters, in the past hour.")),
        _stat(queries.now(figures.GATEWAY_DUTY, heard, each=("gateway",), into="max"), figures.GATEWAY_DUTY, Means.VALUE,
              Text("Sendezeit, höchste", "Duty cycle, highest"),
              Text("Das Gateway, dessen erlaubte Sendezeit unsere Befehle am meisten brauchen.",
                   "The gateway whose lawful time on air our commands use most.")),
        _stat(queries.now(figures.FLEET_SILENT, zoned, each=("zone", "kind")), figures.FLEET_SILENT, Means.SUM,
              Text("Geräte stumm", "Devices silent"), Text("Leuchten und Stellplätze, die sich länger nicht gemeldet haben, als "
                                                           "sie sollten.", "Lamps and bays that have not been heard for longer "
                                                           "than they should.")),
        Panel((Query(queries.now(figures.GATEWAY_DUTY, heard, each=("gateway",), by=("gateway",), into="max"),
                     figures.GATEWAY_DUTY, legend="$tag_gateway"),), Look.BARS, 8, 5, time_from=LATELY,
              help=Text("Anteil der erlaubten Sendezeit einer Stunde, das vollste Teilband.",
                        "Share of an hour's lawful time on air, the fullest sub-band."))))


def _stat(query: str, quantity: Quantity, means: Means, title: Text | None, help: Text) -> Panel:
    return Panel((Query(query, quantity, means),), Look.NUMBER, 4, 5, title, help, time_from=LATELY)


def _gateways(heard: Scope) -> Row:
    by = ("gateway",)
    shown = (figures.GATEWAY_UPLINKS, figures.GATEWAY_BEST, figures.GATEWAY_MISSED, figures.GATEWAY_RSSI, figures.GATEWAY_SNR,
             figures.GATEWAY_DUTY)
    table = queries.sums(shown, heard, by=by, most=MOST_GATEWAYS, of={
        figures.GATEWAY_RSSI.name: "mean", figures.GATEWAY_SNR.name: "mean", figures.GATEWAY_DUTY.name: "max"})
    return Row(Text("Gateways", "Gateways"), (
        Panel((Query(queries.series(figures.GATEWAY_UPLINKS, heard, by=by, of="sum"), figures.GATEWAY_UPLINKS, Means.SUM,
                     "$tag_gateway"),), Look.LINES, 12, 9, Text("Gehörte Rahmen je Gateway", "Frames heard by gateway"),
              Text("Ein Rahmen zählt bei jedem Gateway, das ihn hörte.", "A frame counts at each gateway that heard it."),
              draw=Draw.BARS, shortest=LEVEL_STEP),
        Panel(tuple(Query(queries.series(one, heard, by=(), of="sum"), one, Means.SUM, colour=colour)
                    for one, colour in zip(figures.GATEWAY_SF.values(), _SF_COLOURS, strict=True)), Look.LINES, 12, 9,
              Text("Spreizfaktoren", "Spreading factors"),
              Text("Gehörte Rahmen nach Spreizfaktor; je höher, desto schwächer das Gerät und desto länger die Sendung.",
                   "Frames heard by spreading factor; the higher, the weaker the device and the longer the transmission."),
              draw=Draw.STACKED, shortest=LEVEL_STEP),
        Panel((Query(table, figures.GATEWAY_UPLINKS, Means.SUM),), Look.TABLE, 24, 6,
              Text("Gateways im gewählten Zeitraum", "Gateways in the chosen time"),
              Text("Rahmen summiert, Empfang gemittelt, Sendezeit in der vollsten Stunde.",
                   "Frames added up, reception averaged, time on air of the fullest hour."),
              columns=(Column("gateway"), *(Column(one.field, one) for one in shown)), sort="uplinks")))


def _quality(heard: Scope) -> Row:
    by = ("gateway",)
    return Row(Text("Empfang und Verluste", "Reception and losses"), (
        *(Panel((Query(queries.series(one, heard, by=by), one, legend="$tag_gateway"),), Look.LINES, 12, 8, title, said,
                shortest=FIGURES_STEP)
          for one, title, said in (
              (figures.GATEWAY_RSSI, Text("Empfangsstärke je Gateway", "Signal strength by gateway"),
               Text("Mittel aller gehörten Rahmen.", "Mean of all frames heard.")),
              (figures.GATEWAY_SNR, Text("Signal-Rausch-Abstand je Gateway", "Signal-to-noise ratio by gateway"),
               Text("Mittel aller gehörten Rahmen.", "Mean of all frames heard.")))),
        Panel((Query(queries.share(derived.GATEWAY_MISSED_SHARE, _MISSED, _SENT, "gateway", heard, by=by, every=queries.EVERY),
                     derived.GATEWAY_MISSED_SHARE, legend="$tag_gateway"),), Look.LINES, 12, 8,
              help=Text("Lücken in den Rahmenzählern der Geräte, die das Gateway am besten hört.",
                        "Gaps in the frame counters of the devices that the gateway hears best."), shortest="30m"),
        Panel((Query(queries.series(figures.GATEWAY_DUTY, heard, by=by, of="max"), figures.GATEWAY_DUTY, legend="$tag_gateway"),),
              Look.LINES, 12, 8, help=Text("Anteil der erlaubten Sendezeit einer Stunde, den unsere Befehle gebraucht haben; das "
                                           "vollste Teilband.", "Share of an hour's lawful time on air that our commands have "
                                           "used; the fullest sub-band."), shortest=FIGURES_STEP)))


def _silent(zoned: Scope) -> Row:
    return Row(Text("Stumme Geräte", "Silent devices"), tuple(
        Panel((Query(queries.series(figures.FLEET_SILENT, zoned.with_fixed(kind=kind), of="max"), figures.FLEET_SILENT, Means.SUM,
                     "$tag_zone"),), Look.LINES, 12, 8, title,
              Text("Die meisten in jedem Schritt", "The most in each step"), draw=Draw.STEPS, shortest=FIGURES_STEP,
              thresholds=False)
        for kind, title in (("lamp", Text("Stumme Leuchten je Gebiet", "Silent lamps by zone")),
                            ("bay", Text("Stumme Parksensoren je Gebiet", "Silent parking sensors by zone")))))


def _devices(tenant: TenantId, console: str, zoned: Scope) -> Row:
    """Each device's own reception. Readings of bays are in a database of their own, so they have panels of their own."""
    to_lamp = page(console, "lamp", Text("Leuchte in der Konsole", "Lamp in the console"), tenant, asset=column("asset"))
    to_bay = page(console, "staff-bay", Text("Stellplatz in der Konsole", "Bay in the console"), tenant, asset=column("asset"))
    lamps, bays = Text("Leuchten", "lamps"), Text("Stellplätze", "bays")
    return Row(Text("Einzelne Geräte", "Single devices"), (
        *_spread(zoned, Source.RAW, lamps),
        _weak(zoned, Source.HOURS, Text("Am schlechtesten zu hören: Leuchten", "Hardest to hear: lamps"),
              Column("asset", title=Text("Leuchte", "Lamp"), links=(to_device(tenant, column("asset")), *to_lamp))),
        *_spread(zoned, Source.BAYS, bays),
        _weak(zoned, Source.BAYS, Text("Am schlechtesten zu hören: Stellplätze", "Hardest to hear: bays"),
              Column("asset", title=Text("Stellplatz", "Bay"),
                     links=(to_device(tenant, column("asset"), variable="bay"), *to_bay)))), collapsed=True)


def _spread(zoned: Scope, source: Source, whose: Text) -> tuple[Panel, ...]:
    def one(quantity: Quantity, de: str, en: str, bucket: float) -> Panel:
        return Panel((Query(queries.newest_each(quantity, zoned, by=("asset",)), quantity),), Look.SPREAD, 8, 8,
                     Text(f"{de}, {whose.de}", f"{en}, {whose.en}"),
                     Text("Wie viele Geräte bei ihrer letzten Meldung des Tages so standen", "How many devices were so at their "
                          "latest report of the day"), source=source, bucket=bucket, time_from=DAY, unit=COUNT, thresholds=False)

    return (one(RADIO_DR, "Datenraten", "Data rates", 1), one(RADIO_GATEWAYS, "Hörende Gateways", "Gateways that hear", 1),
            one(RADIO_RSSI, "Empfangsstärken in dBm", "Signal strengths in dBm", 5))


def _weak(zoned: Scope, source: Source, title: Text, name: Column) -> Panel:
    shown = (RADIO_SNR, RADIO_RSSI, RADIO_DR, RADIO_GATEWAYS)
    query = queries.weakest(RADIO_SNR, zoned, *shown[1:], most=MOST_WEAK, rolled="mean" if source is Source.HOURS else None)
    return Panel((Query(query, RADIO_SNR),), Look.TABLE, 24, 9, title,
                 Text("Mittel des vergangenen Tages; die 25 mit dem kleinsten Signal-Rausch-Abstand.",
                      "Means of the past day; the 25 with the smallest signal-to-noise ratio."), source=source,
                 columns=(name, Column("zone"), *(Column(one.field, one) for one in shown)), sort="snr", time_from=DAY)


def _long(zoned: Scope) -> Row:
    return Row(LONG_TERM, (
        Panel((Query(queries.series(RADIO_RSSI, zoned, rolled="mean"), RADIO_RSSI, legend="$tag_zone"),), Look.LINES, 12, 9,
              Text("Empfangsstärke der Leuchten je Gebiet, Stunden", "Signal strength of lamps by zone, hours"),
              Text("Mittel der Stundenwerte.", "Mean of hourly values."), source=Source.HOURS, shortest="1h",
              time_from=HOURS_BACK),
        Panel((Query(queries.series(RADIO_SNR, zoned, every="1d", rolled="mean"), RADIO_SNR, legend="$tag_zone"),), Look.LINES,
              12, 9, Text("Signal-Rausch-Abstand der Leuchten je Gebiet, Tage", "Signal-to-noise ratio of lamps by zone, days"),
              Text("Mittel der Tageswerte.", "Mean of daily values."), source=Source.DAYS, shortest="1d",
              time_from=DAYS_BACK)), collapsed=True)
