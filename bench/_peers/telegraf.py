"""Telegraf's mqtt_consumer → InfluxDB 1.x as a contender, where a binary is given. Nobody has a package of it for Debian,
so it is measured only where somebody brings one. It cannot decode a device's bytes: it keeps what the JSON says, and the
payload as text. Acknowledged after the write, as `persistent_session` has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench._load.processes import Running, Used, until
from bench._load.servers import Influx
from bench._peers.subject import Contender, Subject, Void

SLOWEST = 200
CONFIG = """
[agent]
  interval = "10s"
  flush_interval = "1s"
  flush_jitter = "0s"
  metric_batch_size = 5000
  metric_buffer_limit = 100000
  omit_hostname = true

[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{broker}"]
  topics = ["application/+/device/+/event/up"]
  topic_tag = ""
  qos = 1
  client_id = "telegraf-up-1"
  persistent_session = true
  max_undelivered_messages = 5000
  keepalive = "30s"
  data_format = "xpath_json"
  xpath_native_types = true
  [[inputs.mqtt_consumer.xpath]]
    metric_name = "'lamp'"
    timestamp = "/time"
    timestamp_format = "2006-01-02T15:04:05Z07:00"
    tag_selection = "deviceInfo/tags/*"
    [inputs.mqtt_consumer.xpath.tags]
      device = "/deviceInfo/devEui"
      asset = "/deviceInfo/deviceName"
    [inputs.mqtt_consumer.xpath.fields_int]
      fcnt = "/fCnt"
      f_port = "/fPort"
      dr = "/dr"
      rssi = "/rxInfo/*[1]/rssi"
    [inputs.mqtt_consumer.xpath.fields]
      data = "/data"
      snr = "/rxInfo/*[1]/snr"
      gateways = "count(rxInfo/*)"

[[outputs.influxdb]]
  urls = ["{influx}"]
  database = "{database}"
  skip_database_creation = true
  timeout = "10s"
  content_encoding = "gzip"
"""


def telegraf(binary: Path, influx: Influx) -> Contender:
    """The binary that the operator gave."""
    def start(directory: Path, port: int) -> Subject:
        database = f"telegraf_{directory.name}".replace("-", "_")
        influx.create(database)
        directory.mkdir(parents=True, exist_ok=True)
        text = CONFIG.format(broker=port, influx=influx.url, database=database)
        (directory / "telegraf.conf").write_text(text, encoding="utf-8")
        running = Running([str(binary), "--config", str(directory / "telegraf.conf")], directory)
        until(lambda: "Connected [tcp://" in running.said(), "Telegraf", 30.0, 0.1, running)
        return Telegraf(running, influx, database)

    return Contender("Telegraf + InfluxDB (does not decode), MQTT 3.1.1", start)


@dataclass(frozen=True, slots=True)
class Telegraf:
    """The Subject."""

    process: Running
    influx: Influx
    database: str

    @property
    def running(self) -> Sequence[Running]:
        return (self.process,)

    def wait(self, count: int) -> None:
        until(lambda: self._count() >= count, "Telegraf", 30 + count / SLOWEST, 0.3, self.process)

    def end(self) -> Sequence[Used]:
        return (self.process.end(),)

    def check(self, count: int) -> None:
        kept = self._count()
        self.influx.drop(self.database)
        if kept != count:
            raise Void(f"{count} events published, {kept} in InfluxDB")

    def _count(self) -> int:
        return self.influx.count(self.database, "lamp", "fcnt")
