"""The publisher's own promises, on a real broker."""

import pytest

from tests.faults.fleet import Fleet
from tests.faults.proxy import proxy
from tests.faults.publisher import Publisher, listener
from tests.faults.toxics import Latency
from tests.faults.waiting import until
from tests.wire.servers import mosquitto

pytestmark = pytest.mark.wire


def test_every_number_is_acknowledged_once_it_is_with_the_broker(tmp_path):
    fleet = Fleet(7)
    with mosquitto(tmp_path / "broker") as broker, listener(broker.port, "application/#") as heard:
        publisher = Publisher(broker.port, fleet)
        publisher.publish(5000)
        publisher.send("application/x/device/y/event/up", b"nonsense")
        until(lambda: len(heard.heard) == 5001)
        publisher.close()
    assert publisher.acked == set(range(5000))
    assert [fleet.number_in(payload) for _, payload in heard.heard] == [*range(5000), None]


def test_what_is_not_acknowledged_is_sent_again_after_the_connection_broke(tmp_path):
    fleet = Fleet(7)
    with mosquitto(tmp_path / "broker") as broker, listener(broker.port, "application/#") as heard, \
            proxy(broker.port) as relay:
        publisher = Publisher(relay.port, fleet)
        publisher.publish(100)
        with relay.poisoned(Latency(5.0)):  # acknowledgements are held up
            publisher.publish(100, wait=False)
            until(lambda: len(list(heard.heard)) == 200)
            relay.cut()
        publisher.publish(100)
        until(lambda: len({fleet.number_in(payload) for _, payload in list(heard.heard)}) == 300)
        publisher.close()
    assert publisher.acked == set(range(300))
    assert len(heard.heard) > 300, "some came twice: nobody knew whether they had arrived"


def test_a_number_tells_its_device_and_frame():
    fleet = Fleet(7, first=100)
    for number in (0, 6, 7, 12345):
        topic, payload = fleet.message(number)
        assert fleet.number_in(payload) == number
        assert fleet.number_of_key(topic.split("/")[3], f"00189440:{number // 7 + 100}") == number
    assert fleet.number_in(b"{") is None
