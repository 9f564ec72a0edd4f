"""Circuits: what they are called, at which delivery point they are counted, and when they have power."""

from collections import Counter
from typing import Annotated, Literal, Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.deps import Acting, Engineering, Now, Viewing
from api.feeding import MAX_TEXT, keep_circuit
from api.problems import RESPONSES
from api.routes.common import TENANT
from city.ids import CircuitId
from city.places import Circuit, Supply

router = APIRouter(prefix=TENANT, tags=["circuits"], responses=RESPONSES)
Text = Annotated[str, Field(max_length=MAX_TEXT)]


class CircuitIn(BaseModel):
    """`delivery_point`: where the grid's operator counts. `supply`: night_switched where its lamps have no power by day."""

    model_config = ConfigDict(extra="forbid")
    name: Text = ""
    delivery_point: Text = ""
    supply: Literal["permanent", "night_switched"] = "permanent"


class CircuitOut(CircuitIn):
    id: str
    lamps: int

    @classmethod
    def of(cls, circuit: Circuit, lamps: int) -> Self:
        return cls(id=circuit.id, name=circuit.name, delivery_point=circuit.delivery_point, supply=circuit.supply.value,
                   lamps=lamps)


@router.get("/circuits", summary="Circuits")
def circuits(town: Viewing) -> list[CircuitOut]:
    """All that lamps are fed by."""
    lamps = Counter(lamp.circuit for lamp in town.luminaires())
    return [CircuitOut.of(one, lamps[one.id]) for one in town.circuits()]


@router.put("/circuits/{id}", summary="Say more of a circuit")
def put_circuit(town: Engineering, who: Acting, now: Now, id: str, body: CircuitIn) -> CircuitOut:
    """Circuits themselves come with the lamps that are imported."""
    circuit = Circuit(town.tenant.id, CircuitId(id), body.name, body.delivery_point, Supply(body.supply))
    kept = keep_circuit(town, circuit, who, now)
    return CircuitOut.of(kept, len(town.luminaires(circuit=kept.id)))
