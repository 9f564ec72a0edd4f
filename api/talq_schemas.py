"""What a TALQ client may send: an OverrideCommand (TALQ 2.7.1), with an expiration always."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, StrictInt
from pydantic.alias_generators import to_camel

from city.lighting import MAX_REASON, MAX_TARGETS


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class ReferenceIn(_In):
    """A ResourceReference: a lamp by its UUID, or a group by its address ("zone:markt")."""

    resource: Literal["devices", "groups"]
    address: str = Field(max_length=80, examples=["zone:markt"])


class LevelStateIn(_In):
    """The only state that a lamp of ours has."""

    name: Literal["LevelState"]
    value: StrictInt = Field(ge=0, le=100, description="per cent")


class CommandIn(_In):
    """A Command. `cmsRefId` is free text: it becomes the reason of the override."""

    state: LevelStateIn
    reason: Literal["override", "default"] = "override"
    cms_ref_id: str = Field("", max_length=MAX_REASON)
    start: AwareDatetime | None = None
    expiration: AwareDatetime | None = Field(None, description="mandatory here: no override lasts for ever")
    ramp_to_level_time: float = Field(0, description="only 0: a lamp of ours takes its own time")


class OwnIn(BaseModel):
    """What TALQ has no word for."""

    model_config = ConfigDict(extra="forbid")

    confirm: StrictInt | None = Field(None, description="the number of lamps, where many are dimmed at once")
    emergency: StrictBool = Field(False, description="100 % for safety's sake")


class OverrideCommandIn(_In):
    """An OverrideCommand; without `targetCommand` it ends what is wished for exactly these addresses."""

    addresses: Annotated[list[ReferenceIn], Field(min_length=1, max_length=MAX_TARGETS)]
    target_command: CommandIn | None = None
    own: Annotated[OwnIn, Field(alias="x-stadtfunk")] = OwnIn(confirm=None, emergency=False)
