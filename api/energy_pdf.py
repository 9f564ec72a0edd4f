"""The report as PDF: A4, the same figures as on the page, in the reader's language, every page numbered and labelled."""

import io
from collections.abc import Sequence
from xml.sax.saxutils import escape

from anyascii import anyascii
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from api.energy import BY, LABEL, day, decimal, factor_line, month_name, name_of
from api.i18n import translate
from city.energy_report import Line, Report
from city.store.port_energy import Booked

MARGIN = 15 * mm
_STYLES = getSampleStyleSheet()
_SMALL = ParagraphStyle("small", parent=_STYLES["BodyText"], fontSize=8, leading=10)
_CELL = ParagraphStyle("cell", parent=_STYLES["BodyText"], fontSize=8.5, leading=10)
_LOOK = TableStyle([
    ("FONT", (0, 0), (-1, 0), "Helvetica-Bold", 8), ("FONT", (0, 1), (-1, -1), "Helvetica", 8.5),
    ("FONT", (0, -1), (-1, -1), "Helvetica-Bold", 8.5), ("ALIGN", (1, 0), (-1, -1), "RIGHT"), ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black), ("LINEABOVE", (0, -1), (-1, -1), 0.8, colors.black),
    ("LINEBELOW", (0, 1), (-1, -2), 0.25, colors.Color(0.8, 0.8, 0.8)), ("LEFTPADDING", (0, 0), (-1, -1), 3),
    ("RIGHTPADDING", (0, 0), (-1, -1), 3), ("TOPPADDING", (0, 0), (-1, -1), 2), ("BOTTOMPADDING", (0, 0), (-1, -1), 2)])


def _(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


HEADS = (_("Lamps"), _("used (kWh)"), _("of it metered (kWh)"), _("of it estimated (kWh)"), _("undimmed (kWh)"),
         _("saved (kWh)"), _("burning hours"), _("hours without data"), _("CO₂ (kg)"), _("cost (€)"))


def cells(language: str, line: Line) -> list[str]:
    """What a line shows beside its name, in order of HEADS; the page shows the same."""
    def kwh(value: int) -> str:
        return decimal(language, value / 10, 1)

    return [decimal(language, line.lamps, 0), kwh(line.used), kwh(line.metered), kwh(line.estimated), kwh(line.undimmed),
            kwh(line.saved), decimal(language, line.burn_h, 0), decimal(language, line.missing_h, 0), kwh(line.co2),
            decimal(language, line.cents / 100, 2)]


def report_pdf(report: Report, town: str, booked: Booked | None, language: str) -> bytes:
    """The bytes of the document."""
    title = translate(language, "Energy of the street lighting, {month}", month=month_name(language, report.month))
    out = io.BytesIO()
    document = SimpleDocTemplate(out, pagesize=landscape(A4), leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN,
                                 bottomMargin=MARGIN + 6 * mm, title=_plain(f"{title} – {town}"), author=_plain(town),
                                 subject=_plain(translate(language, LABEL)), creator="stadtfunk",
                                 lang="de-DE" if language == "de" else "en-GB")
    document.build(_story(report, town, title, booked, language),
                   canvasmaker=lambda *args, **more: _Numbered(*args, language=language, **more))
    return out.getvalue()


class _Numbered(Canvas):  # type: ignore[misc]  # reportlab has no types
    """A canvas that knows how many pages there are when it writes “page 1 of 3” on each."""

    def __init__(self, *args: object, language: str, **more: object) -> None:
        super().__init__(*args, **more)
        self._language = language
        self._pages: list[dict[str, object]] = []
        self.setViewerPreference("DisplayDocTitle", "true")  # readers, and screen readers, say the title and not the file's name

    def showPage(self) -> None:  # noqa: N802 - reportlab's name
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for number, page in enumerate(self._pages, 1):
            self.__dict__.update(page)
            self.setFont("Helvetica", 8)
            width, _height = landscape(A4)
            self.drawString(MARGIN, 10 * mm, translate(self._language, LABEL))
            self.drawRightString(width - MARGIN, 10 * mm, translate(self._language, "page {n} of {total}", n=number,
                                                                    total=len(self._pages)))
            super().showPage()
        super().save()


def _story(report: Report, town: str, title: str, booked: Booked | None, language: str) -> list[Flowable]:
    said = [Paragraph(_markup(title), _STYLES["Title"]), Paragraph(_markup(town), _STYLES["Heading2"]),
            Paragraph(f"<b>{_markup(translate(language, LABEL))}</b>", _STYLES["BodyText"])]
    said += [Paragraph(_markup(text), _SMALL) for text in notes(report, booked, language)]
    rows = [[translate(language, BY[report.by]), *(_head(translate(language, head)) for head in HEADS)],
            *(_row(language, line, name_of(language, line)) for line in report.lines),
            _row(language, report.total, translate(language, "Total"))]
    figures = [Paragraph(_markup(factor_line(language, one)), _SMALL) for one in report.factors]
    return [*said, Spacer(1, 5 * mm), _table(rows), Spacer(1, 5 * mm),
            Paragraph(_markup(translate(language, "Figures used")), _STYLES["Heading3"]), *figures]


def notes(report: Report, booked: Booked | None, language: str) -> list[str]:
    """What a reader has to know about the figures; the page says the same."""
    said = [translate(language, _("Nights count from noon to noon and belong to the day of their evening."))]
    if not report.complete:
        said.append(translate(language, _("{n} nights of this month are in it."), n=len(report.nights)))
    if booked is not None:
        said.append(translate(language, _("Booked up to the night of {day}."), day=day(language, booked.last)))
    said.append(translate(language, _(
        "Metered: counted by the controllers. Estimated: from power or level that was reported, or as programmed where a lamp "
        "has no controller. Without data: hours in which a lamp should have burnt and nothing is known; they are in no sum.")))
    return said


def _row(language: str, line: Line, name: str) -> list[object]:
    return [Paragraph(_markup(name), _CELL), *cells(language, line)]


def _head(text: str) -> Paragraph:
    return Paragraph(f"<para align='right'><b>{_markup(text)}</b></para>", _SMALL)


def _table(rows: Sequence[Sequence[object]]) -> Table:
    width = landscape(A4)[0] - 2 * MARGIN
    first = 0.2 * width
    rest = (width - first) / (len(rows[0]) - 1)
    return Table(rows, colWidths=[first, *([rest] * (len(rows[0]) - 1))], repeatRows=1, style=_LOOK)


def _plain(text: str) -> str:
    """What the standard fonts can show: other letters as those that are nearest, “Łódź” as “Lódz”, “CO₂” as “CO2”."""
    return "".join(one if one.encode("cp1252", "ignore") else anyascii(one) for one in text)


def _markup(text: str) -> str:
    return escape(_plain(text))
