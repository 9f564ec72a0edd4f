"""What a loss of power does to real sessions: a controller that keeps its own goes on counting, the others join anew."""

from dataclasses import replace

from simulator.field import Field
from simulator.gateway_mqtt import MqttLanguage
from simulator.scenario import Scenario
from simulator.secrets_of import keys
from tests.simulator.small_network import SmallNetwork
from tests.simulator.small_server import SmallServer
from tests.simulator.test_field import FIVE, NOW, Town

MODELS = ("stadtfunk/lamp", "nas/ul20xx", "zenosmart/lcc")


class Street(Town):
    """One lamp of each of these models."""

    def __init__(self) -> None:
        town = Scenario.load().sized(lamps=3, bays=0).tuned(uplink_loss=0.0, join_within_s=5.0, status_interval_s=60)
        self.sites = tuple(replace(site, model=model)
                           for site, model in zip(town.lamps, MODELS, strict=True))
        scenario, self.server = replace(town, lamps=self.sites), SmallServer(cf_list=FIVE, rx2_dr=3)
        for site in self.sites:
            self.server.know(site.device.dev_eui, keys(5, site.device.dev_eui).app_key)
        self.network = SmallNetwork(self.server, rx2_sf=9)
        self.network.answer = self.answer
        self.field, self.now, self.first = Field(scenario, MqttLanguage(), seed=5, start=NOW), NOW, self.sites[0]

    def power(self, *, on: bool) -> None:
        for site in self.sites:
            lamp, device = self.field.lamps[site.lamp.id], self.field.devices[site.lamp.id]
            if not on:
                lamp.cut()
                device.power_off()
                continue
            if lamp.firmware.keeps_session:
                device.power_on()
            lamp.restore()

    def heard(self, model: str) -> list[int]:
        """The counters of its uplinks, as the server accepted them."""
        eui = next(site.device.dev_eui for site in self.sites if site.device.model == model)
        return [up.f_cnt for up in self.server.heard if up.eui == eui]


def test_who_keeps_its_session_goes_on_and_the_others_begin_at_nought() -> None:
    street = Street()
    street.run(200)
    joins = street.field.stats["join requests"]
    before = {model: street.heard(model) for model in MODELS}
    assert all(counters == sorted(counters) and len(counters) > 2 for counters in before.values())
    street.power(on=False)
    silent = len(street.server.heard)
    street.run(120)
    assert len(street.server.heard) == silent
    street.power(on=True)
    street.run(200)
    after = {model: street.heard(model)[len(before[model]):] for model in MODELS}
    assert after["stadtfunk/lamp"][0] == before["stadtfunk/lamp"][-1] + 1
    assert after["nas/ul20xx"][0] == after["zenosmart/lcc"][0] == 0
    assert street.field.stats["join requests"] - joins in (2, 3, 4)
    assert all(street.field.lamps[site.lamp.id].clock_valid for site in street.sites)
