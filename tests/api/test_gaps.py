"""Which devices lose frames: the worst first, and only the town's own."""

from city.ids import GatewayId
from city.readings import DeviceState
from city.store.ports import Facts

GW = GatewayId("0016c001f153a14c")


def state(town, number: int, **counter) -> DeviceState:
    return DeviceState(town.devices()[number].dev_eui, f_cnt=100, heard_ns=1, **counter)


def test_the_worst_come_first_and_other_towns_do_not(operator, store):
    alt = store.tenant("alt")
    other = store.tenant(next(town.id for town in store.tenants() if town.id != "alt"))
    store.commit(Facts(states=(state(alt, 0, missed=2, gateway=GW), state(alt, 1, missed=7, holes=0b110, gateway=GW),
                               state(alt, 2), state(other, 0, missed=99, gateway=GW))))
    said = operator.get("/api/v1/tenants/alt/gaps").json()
    assert said["missed"] == 11
    assert [(row["device"], row["missed"]) for row in said["devices"]] == [
        (alt.devices()[1].dev_eui, 9), (alt.devices()[0].dev_eui, 2)]
    assert said["devices"][0]["asset"] == alt.devices()[1].asset
    assert said["gateways"] == [{"gateway": GW, "missed": 11}]
    assert len(operator.get("/api/v1/tenants/alt/gaps?limit=1").json()["devices"]) == 1


def test_it_is_not_for_everybody(anonymous):
    assert anonymous.get("/api/v1/tenants/alt/gaps").status_code == 401
