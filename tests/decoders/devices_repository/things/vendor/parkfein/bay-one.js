function decodeUplink(input) {
  return { data: { occupied: (input.bytes[0] & 1) === 1, battery_v: input.bytes[1] / 50 + 2, heartbeat: (input.bytes[0] & 2) > 0 } };
}
