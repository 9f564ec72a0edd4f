"""Node-RED 4 with node-red-contrib-influxdb as a contender: mqtt in (QoS 1) → function (our lamp's frame) → influxdb out.

Its packages are installed by npm, at these versions, into the bench's own directory; nothing of them is committed. The
flow does less than the bridge: it keeps no state, judges nothing, knows no registry; and it acknowledges on receipt.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench._load.processes import Running, Used, free_port, until
from bench._load.servers import Influx
from bench._peers.subject import Contender, Subject, Void

PACKAGES = ("node-red@4.1.8", "node-red-contrib-influxdb@0.7.0")
VERSIONS = "Node-RED 4.1.8, node-red-contrib-influxdb 0.7.0"
SLOWEST = 200  # events a second, below which it has stopped
DECODE = r"""
const REASONS = { 0x21: "calendar-day", 0x22: "calendar-night", 0xf8: "fallback", 0xfd: "manual" };
const event = JSON.parse(msg.payload), b = Buffer.from(event.data, "base64");
if (event.fPort !== 23 || b.length < 16) return null;
const fields = { time: new Date(event.time), clock: b.readUInt32LE(1), dali_error: (b[5] & 2) !== 0,
  metering_error: (b[5] & 4) !== 0, relay_closed: (b[5] & 0x80) !== 0, downlink_rssi: -b[7], downlink_snr: b.readInt8(8),
  temperature: b.readInt8(9), alert_voltage: (b[10] & 0x10) !== 0, alert_lamp: (b[10] & 0x20) !== 0,
  alert_power: (b[10] & 0x40) !== 0, alert_power_factor: (b[10] & 0x80) !== 0, level: b[14],
  reason: REASONS[b[13]] || "unknown", dali_status: b[15], failure: (b[15] & 2) !== 0, driver_error: (b[15] & 1) !== 0,
  fcnt: event.fCnt, dr: event.dr, gateways: event.rxInfo.length, rssi: event.rxInfo[0].rssi, snr: event.rxInfo[0].snr };
msg.payload = [fields, { device: event.deviceInfo.devEui, asset: event.deviceInfo.deviceName,
  zone: event.deviceInfo.tags.zone, circuit: event.deviceInfo.tags.feeder, tenant: "musterstadt" }];
return msg;
"""


def node_red(installed: Path, version: str, influx: Influx, events: int) -> Contender:
    """`version` of MQTT: "3.1.1" or "5"."""
    def start(directory: Path, port: int) -> Subject:
        database = f"nodered_{directory.name}".replace("-", "_")
        influx.create(database)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "flow.json").write_text(json.dumps(flow(port, influx.port, database, version)), encoding="utf-8")
        (directory / "settings.js").write_text(
            'module.exports = { flowFile: "flow.json", httpAdminRoot: false, httpNodeRoot: false, telemetry: { enabled: false },'
            f' uiPort: {free_port()}, uiHost: "127.0.0.1", logging: {{ console: {{ level: "info" }} }} }};\n', encoding="utf-8")
        (directory / "node_modules").symlink_to(installed / "node_modules")
        running = Running(["node", str(installed / "node_modules/node-red/red.js"), "-u", str(directory)], directory)
        until(lambda: "Connected to broker" in running.said(), "Node-RED", 60.0, 0.1, running)
        return NodeRed(running, influx, database)

    return Contender(f"Node-RED + InfluxDB, MQTT {version}", start, events=events)


def install(directory: Path) -> Path | None:
    """Where it is installed, once; None where there is no npm or it cannot."""
    if (directory / "node_modules/node-red/red.js").exists():
        return directory
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return None
    directory.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([npm, "install", "--no-audit", "--no-fund", "--prefix", str(directory), *PACKAGES],
                          capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        print(f"Node-RED cannot be installed: {done.stderr[-500:]}")
        return None
    return directory


def flow(broker: int, influx: int, database: str, version: str) -> list[dict[str, object]]:
    """As the editor would export it: what has a place on the tab is a node, what has none is a configuration."""
    return [
        {"id": "a1e0", "type": "tab", "label": "lamps"},
        {"id": "a1e1", "type": "mqtt-broker", "name": "", "broker": "127.0.0.1", "port": str(broker),
         "clientid": "node-red", "autoConnect": True, "usetls": False, "protocolVersion": "5" if version == "5" else "4",
         "keepalive": "60",
         "cleansession": False, "autoUnsubscribe": False, "sessionExpiry": "3600"},
        {"id": "a1e2", "type": "influxdb", "hostname": "127.0.0.1", "port": str(influx), "protocol": "http",
         "database": database, "name": "", "usetls": False, "influxdbVersion": "1.x", "url": "", "rejectUnauthorized": False},
        {"id": "a1f0", "x": 100, "y": 60, "type": "mqtt in", "z": "a1e0", "name": "",
         "topic": "application/+/device/+/event/up", "qos": "1", "datatype": "utf8", "broker": "a1e1", "nl": False,
         "rap": True, "rh": 0, "inputs": 0, "wires": [["a1f1"]]},
        {"id": "a1f1", "x": 300, "y": 60, "type": "function", "z": "a1e0", "name": "decode", "func": DECODE,
         "outputs": 1, "timeout": 0, "noerr": 0, "initialize": "", "finalize": "", "libs": [], "wires": [["a1f2"]]},
        {"id": "a1f2", "x": 500, "y": 60, "type": "influxdb out", "z": "a1e0", "influxdb": "a1e2", "name": "",
         "measurement": "lamp", "precision": "", "retentionPolicy": "", "database": database, "precisionV18FluxV20": "ms",
         "retentionPolicyV18Flux": "", "org": "", "bucket": "", "wires": []},
    ]


@dataclass(frozen=True, slots=True)
class NodeRed:
    """The Subject."""

    process: Running
    influx: Influx
    database: str

    @property
    def running(self) -> Sequence[Running]:
        return (self.process,)

    def wait(self, count: int) -> None:
        until(lambda: self._count() >= count, "Node-RED", 30 + count / SLOWEST, 0.3, self.process)

    def end(self) -> Sequence[Used]:
        return (self.process.end(),)

    def check(self, count: int) -> None:
        kept = self._count()
        self.influx.drop(self.database)
        if kept != count:
            raise Void(f"{count} events published, {kept} in InfluxDB")

    def _count(self) -> int:
        return self.influx.count(self.database, "lamp", "level")
