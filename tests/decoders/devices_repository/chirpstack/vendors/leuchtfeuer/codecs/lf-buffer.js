function decodeUplink(input) {
  const buffer = Buffer.from(input.bytes);
  return { data: { voltage_mV: buffer.readUInt32BE(0), power_w: buffer.readInt16LE(4) / 10, serial: buffer.toString('hex', 6, 10) } };
}
