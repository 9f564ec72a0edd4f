function decodeUplink(input) {
  const buffer = Buffer.from(input.bytes);
  return { data: { activePower: buffer.readFloatLE(0), energyWh: buffer.readUInt32LE(4) } };
}
