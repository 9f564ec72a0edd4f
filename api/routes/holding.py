"""What lamps hold of their programs themselves."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Self

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from api import holding
from api.deps import Here, Now, Operating, Viewing
from api.i18n import language_of, translate
from api.lighting_schemas import CalendarIn, ChangeOut, ProgramIn
from api.problems import RESPONSES
from api.routes.common import TENANT
from api.told import Told, told
from city.ids import AssetId
from firmware_config.deviation import Deviation

router = APIRouter(prefix=TENANT, tags=["programs"], responses=RESPONSES)


class AloneOut(BaseModel):
    """What the lamp does from noon to noon if the network dies now."""

    changes: list[ChangeOut] = Field(description="Empty: nobody knows")
    sentences: list[str]


class HoldingOut(BaseModel):
    """A lamp's own controller beside its program."""

    asset: str
    model: str
    evening: date
    noon: datetime
    next_noon: datetime
    programmed: list[ChangeOut] = Field(description="What is wanted of the lamp this night, within the law")
    told: bool = Field(description="Whether the platform tells the controller its program")
    settings: list[str] = Field(description="The settings that hold it, by their names in the controller")
    pending: list[str] = Field(description="Those that the controller has not confirmed, or that are still to be given up")
    confirmed_share: float = Field(description="0 to 1")
    deviations: list[str] = Field(description="What the controller cannot hold")
    alone: AloneOut
    apart_s: float | None = Field(description="How much earlier or later than programmed it changes its level if left alone; "
                                  "null: it does something else, or nobody knows")


class KeptOut(BaseModel):
    """What one model's controllers could not hold."""

    model: str
    lamps: int
    deviations: list[str]

    @classmethod
    def of(cls, kept: holding.Kept, language: str) -> Self:
        return cls(model=kept.model, lamps=kept.lamps, deviations=said(kept.deviations, language))


class ToldOut(BaseModel):
    """Lamps whose controllers hold their own programs, by what they have confirmed."""

    lamps: int
    hold: int = Field(description="Lamps that have confirmed all of it")
    begun: int = Field(description="Lamps that have confirmed some of it")
    waiting: int = Field(description="Lamps that have confirmed nothing of it")
    frames: int = Field(description="Settings still to be told")
    left_s: float = Field(description="How long that takes if all goes well, of lamps that listen all the time")

    @classmethod
    def of(cls, found: Told) -> Self:
        return cls(lamps=found.lamps, hold=found.hold, begun=found.begun, waiting=found.waiting, frames=found.frames,
                   left_s=found.left.total_seconds())


@router.get("/luminaires/{asset}/program", summary="What a lamp holds of its program, and what it does if the network dies")
def program_held(request: Request, here: Here, town: Viewing, now: Now, asset: str) -> HoldingOut:
    """By what its controller has confirmed, not by what it was told."""
    found = holding.holding(town, AssetId(asset), now, local=holding.local_models(here.settings.bridge))
    language = language_of(request)
    return HoldingOut(
        asset=found.lamp.id, model=found.model, evening=found.night.evening, noon=found.night.noon,
        next_noon=found.night.next_noon, programmed=[ChangeOut.of(one) for one in found.programmed],
        told=found.compiled is not None and found.compiled.holds, settings=list(found.wanted), pending=list(found.pending),
        confirmed_share=found.confirmed_share, deviations=said(found.deviations, language),
        alone=AloneOut(changes=[ChangeOut.of(one) for one in found.alone.changes],
                       sentences=said(found.alone.sentences, language)),
        apart_s=None if found.apart is None else found.apart.total_seconds())


@router.get("/programs/told", summary="How far the lamps have been told the programs that they hold themselves")
def programs_told(here: Here, town: Viewing, now: Now) -> ToldOut:
    """They are told through the day, a few by a few, so that whoever dims has the air; a few lamps at once."""
    return ToldOut.of(told(town, here.store.config_wishes(town.tenant.id), here.settings, now,
                           local=holding.local_models(here.settings.bridge)))


@router.post("/programs/{id}/kept", summary="What controllers could not hold of a program, before it is saved")
def program_kept(request: Request, here: Here, town: Operating, now: Now, id: str, body: ProgramIn) -> list[KeptOut]:
    """By model; as if it held every night in the whole town."""
    found = holding.kept_of_program(town, body.program(id), now, local=holding.local_models(here.settings.bridge))
    return [KeptOut.of(one, language_of(request)) for one in found]


@router.post("/calendars/{id}/kept", summary="What controllers could not hold of a calendar, before it is saved")
def calendar_kept(request: Request, here: Here, town: Operating, now: Now, id: str, body: CalendarIn) -> list[KeptOut]:
    """By model; as if it held in the whole town."""
    found = holding.kept(town, town.programming(), body.calendar(id), now, local=holding.local_models(here.settings.bridge))
    return [KeptOut.of(one, language_of(request)) for one in found]


def said(deviations: Sequence[Deviation], language: str) -> list[str]:
    """The sentences in a language."""
    return [translate(language, one.message, **one.facts) for one in deviations]
