"""What people say of a circuit, checked and written down: for the JSON route and the page alike."""

from dataclasses import replace
from datetime import datetime

from api.audit import record
from api.auth import Actor
from city.errors import Invalid
from city.places import Circuit
from city.store.ports import TenantStore

MAX_TEXT = 80


def keep_circuit(town: TenantStore, circuit: Circuit, who: Actor, now: datetime) -> Circuit:
    """Keep its name, delivery point and supply. Raises NotFound for a circuit that the town does not have, Invalid."""
    kept = replace(circuit, name=circuit.name.strip(), delivery_point=circuit.delivery_point.strip())
    for field, text in (("name", kept.name), ("delivery_point", kept.delivery_point)):
        if len(text) > MAX_TEXT or (text and not text.isprintable()):
            raise Invalid("A name has 1 to {most} printable characters.", field=field, rule="name", most=MAX_TEXT)
    record(town, who, now, "circuit", kept.id[:64], f"{kept.name}; {kept.delivery_point}; {kept.supply.value}")
    town.put_circuit(kept)
    return kept
