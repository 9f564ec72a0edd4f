function decodeUplink({ bytes }) {
  const mac = bytes.slice(1, 7).map((b) => b.toString(16).padStart(2, '0')).join(':');
  return { data: { occupied: bytes[0] === 1, beacons: [{ mac, rssi: bytes[7] - 256 }] } };
}
