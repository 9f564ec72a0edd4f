"""Who may speak with whom: TLS, certificates of both ends, names and passwords, on a real Mosquitto."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from city.errors import BrokerDown, Invalid
from city.settings import Mqtt, Secret
from gateway_bridge.mqtt import MqttLink, connect
from tests.laws.test_link import TOPIC, take, until_connected
from tests.patience import PATIENCE_S
from tests.wire.servers import Mosquitto, mosquitto, program

pytestmark = pytest.mark.wire
both_versions = pytest.mark.parametrize("version", ["5", "3.1.1"])


def openssl(*words: str) -> None:
    subprocess.run([program("openssl"), *words], check=True, capture_output=True)


@dataclass(frozen=True)
class Authority:
    """An authority of our own, and the certificates that it signs."""

    directory: Path
    name: str

    @property
    def cert(self) -> Path:
        return self.directory / f"{self.name}.pem"

    def make(self) -> "Authority":
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={self.name}",
                "-days", "2", "-addext", "keyUsage=keyCertSign", "-keyout", f"{self.directory}/{self.name}.key",
                "-out", str(self.cert))
        return self

    def sign(self, name: str, *, days: int = 2) -> tuple[Path, Path]:
        """A certificate and its key; `name` is an IP address or a user."""
        key, request, cert = (self.directory / f"{self.name}-{name}.{kind}" for kind in ("key", "csr", "crt"))
        extension = self.directory / "extension"
        address = name.replace(".", "").isdigit()
        extension.write_text(f"subjectAltName=IP:{name}\n" if address else "extendedKeyUsage=clientAuth\n", encoding="ascii")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", str(key), "-out", str(request))
        openssl("x509", "-req", "-in", str(request), "-CA", str(self.cert), "-CAkey", f"{self.directory}/{self.name}.key",
                "-CAcreateserial", "-days", str(days), "-extfile", str(extension), "-out", str(cert))
        return cert, key


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"), "ours").make()


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("strange"), "strange").make()


@pytest.fixture
def broker(tmp_path: Path, ours: Authority) -> Iterator[Mosquitto]:
    """It shows our authority's certificate, and lets in whoever has one, under the name in it."""
    cert, key = ours.sign("127.0.0.1")
    with mosquitto(tmp_path / "broker", f"certfile {cert}\nkeyfile {key}\ncafile {ours.cert}\nrequire_certificate true\n"
                                        "use_identity_as_username true\nallow_anonymous false") as server:
        yield server


def settings_for(broker: Mosquitto, authority: Authority, who: tuple[Path, Path] | None = None, **more: str) -> Mqtt:
    cert, key = who or ("", "")
    return Mqtt(url=broker.url.replace("mqtt:", "mqtts:"), ca_file=str(authority.cert), cert_file=str(cert),
                key_file=str(key), **more)


async def problem_of(settings: Mqtt, patience: int = 1) -> str:
    """What the link says that cannot work, the first time or, where the end of the connection may overtake the alert that
    explains it, one of the next times."""
    link, said = MqttLink(settings), ""
    try:
        for _ in range(patience):
            with pytest.raises(BrokerDown) as caught:
                await asyncio.wait_for(link.receive(1, 0), PATIENCE_S)
            said = str(caught.value)
            if "certificate" in said:
                break
    finally:
        await link.close()
    return said


@both_versions
async def test_with_a_certificate_events_come_and_commands_go(broker: Mosquitto, ours: Authority, version: str) -> None:
    link = MqttLink(settings_for(broker, ours, ours.sign("bridge"), version=version))
    with suppress(BrokerDown):
        await link.publish(TOPIC, b"")
    await until_connected(link)
    payloads = [b"%d" % number * 5000 for number in range(60)]  # more than a TLS record each, and than one read together
    taken, _ = await asyncio.gather(take(link, 60), asyncio.gather(*[link.publish(TOPIC, payload) for payload in payloads]))
    assert [message.payload for message in taken] == payloads
    await link.acknowledge(taken)
    assert link.counts.connections == 1
    await link.close()


@both_versions
async def test_a_broker_of_a_strange_authority_is_not_trusted(broker: Mosquitto, ours: Authority, strange: Authority,
                                                              version: str) -> None:
    said = await problem_of(settings_for(broker, strange, ours.sign("bridge"), version=version))
    assert said.startswith("The broker's certificate is not to be trusted:")


async def test_a_broker_with_another_s_certificate_is_not_trusted(tmp_path: Path, ours: Authority) -> None:
    cert, key = ours.sign("192.0.2.1")
    with mosquitto(tmp_path / "other", f"certfile {cert}\nkeyfile {key}\nallow_anonymous true") as broker:
        said = await problem_of(settings_for(broker, ours))
    assert said.startswith("The broker's certificate is not to be trusted:")
    assert "127.0.0.1" in said


@both_versions
async def test_without_a_certificate_of_ours_the_broker_s_refusal_is_understood(broker: Mosquitto, ours: Authority,
                                                                               version: str) -> None:
    said = await problem_of(settings_for(broker, ours, version=version), patience=4)
    assert said.startswith("The broker refuses our client certificate, or wants one:")


async def test_a_certificate_of_a_strange_authority_is_refused(broker: Mosquitto, ours: Authority, strange: Authority) -> None:
    said = await problem_of(settings_for(broker, ours, strange.sign("bridge")), patience=4)
    assert said.startswith("The broker refuses our client certificate, or wants one:")


@both_versions
async def test_a_name_and_its_password_let_in_and_a_wrong_one_does_not(tmp_path: Path, version: str) -> None:
    passwords = tmp_path / "passwords"
    await asyncio.to_thread(subprocess.run, [program("mosquitto_passwd"), "-b", "-c", str(passwords), "bridge", "right"],
                            check=True, capture_output=True)
    with mosquitto(tmp_path / "broker", f"allow_anonymous false\npassword_file {passwords}") as broker:
        link = MqttLink(Mqtt(url=broker.url, username="bridge", password=Secret("right"), version=version))
        with suppress(BrokerDown):
            await link.publish(TOPIC, b"")
        await until_connected(link)
        await link.close()
        said = await problem_of(Mqtt(url=broker.url, username="bridge", password=Secret("wr0ng"), version=version))
    assert said.startswith("The broker refuses us: ")
    assert "wr0ng" not in said


async def test_a_broker_without_tls_is_no_puzzle(tmp_path: Path, ours: Authority) -> None:
    with mosquitto(tmp_path / "broker") as broker:
        assert (await problem_of(settings_for(broker, ours))).startswith("The broker cannot be reached:")


@pytest.mark.parametrize("field", ["ca_file", "cert_file"])
def test_tls_files_that_are_none_are_refused_at_the_start(tmp_path: Path, field: str) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate", encoding="ascii")
    with pytest.raises(Invalid, match="TLS files"):
        connect(Mqtt(url="mqtts://127.0.0.1", **{field: str(wrong)}))


def test_a_version_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Invalid, match=r"MQTT 5 and 3.1.1, not “4”"):
        connect(Mqtt(version="4"))
