"""Events as ChirpStack v4 publishes them, for the bridge's tests."""

import base64
import json
from typing import Any

EUI = "70b3d57ed0000042"
APPLICATION = "ca739e26-7b67-4f14-b69e-d568c22a5a75"
TENANT = "52f14cd4-c6f1-4fbd-8f87-4025e1d49242"
STATUS_HEX = "01F37F205E824432091620" "07" "01D2029455" "0401" "FE501900" "12501900"  # NAS UL20xx, fPort 23
TIME = "2026-07-18T09:34:15.775023242+00:00"
TIME_NS = 1784367255775023242


def topic(kind: str, eui: str = EUI) -> str:
    return f"application/{APPLICATION}/device/{eui}/event/{kind}"


def info(eui: str = EUI, **more: object) -> dict[str, Any]:
    return {"tenantId": TENANT, "tenantName": "City of Example", "applicationId": APPLICATION,
            "applicationName": "streetlights", "deviceProfileId": "605d08d4-65f5-4d2c-8a5a-3d2457662f79",
            "deviceProfileName": "Lamp controller C", "deviceName": "lamp-0042", "devEui": eui,
            "deviceClassEnabled": "CLASS_C", "tags": {"zone": "north", "pole": "N-0042"}, **more}


def up(data: bytes | str = bytes.fromhex(STATUS_HEX), *, eui: str = EUI, f_port: int = 23, f_cnt: int = 1042,
       time: str = TIME, dedup: str = "3ac7e3c4-4401-4b8d-9386-a5c902f9202d", **more: object) -> dict[str, Any]:
    text = data if isinstance(data, str) else base64.b64encode(data).decode()
    return {"deduplicationId": dedup, "time": time, "deviceInfo": info(eui), "devAddr": "00189440", "adr": True,
            "dr": 5, "fCnt": f_cnt, "fPort": f_port, "confirmed": False, "data": text,
            "object": {"dim": 90.0, "power_w": 41.2},
            "rxInfo": [{"gatewayId": "0016c001f153a14c", "uplinkId": 4217106255, "gwTime": time, "nsTime": time,
                        "timeSinceGpsEpoch": "1468402473.775s", "rssi": -97, "snr": 7.5, "channel": 6, "rfChain": 1,
                        "location": {"latitude": 37.5023, "longitude": 15.0874, "altitude": 31.0},
                        "context": "EFwMtA==", "crcStatus": "CRC_OK"}],
            "txInfo": {"frequency": 867700000, "modulation": {"lora": {"bandwidth": 125000, "spreadingFactor": 7,
                                                                       "codeRate": "CR_4_5"}}},
            "regionConfigId": "eu868", **more}


def other(*, eui: str = EUI, time: str = TIME, **fields: object) -> dict[str, Any]:
    return {"deduplicationId": "c9dbe358-2578-4fb7-b295-66b44edc45a6", "time": time, "deviceInfo": info(eui), **fields}


def encode(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()
