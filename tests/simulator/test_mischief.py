"""What goes wrong between a town and its broker, by intent."""

import json
from collections.abc import Callable
from datetime import timedelta
from random import Random

from simulator.mischief import Mischief, Spoiler
from tests.simulator.conftest import NIGHT, Town


def test_mischief_sends_duplicates_fragments_and_strangers(make_town: Callable[..., Town]) -> None:
    town = make_town(lamps=20, bays=20).chirpstack
    said = town.advance(NIGHT + timedelta(hours=1))
    messages = list(Spoiler(Mischief(0.1, 0.05, 0.05), Random(1)).take(said))
    known = {site.device.dev_eui for site in town.scenario.lamps} | {
        site.device.dev_eui for site in town.scenario.bays}
    broken = strangers = 0
    for topic, payload in messages:
        if topic.split("/")[3] not in known:
            strangers += 1
            assert json.loads(payload)["deviceInfo"]["devEui"] == topic.split("/")[3]
        try:
            json.loads(payload)
        except ValueError:
            broken += 1
    assert broken > 3
    assert strangers > 3
    assert len(messages) - len(set(messages)) > 3
