function decodeUplink(input) {
  const view = new DataView(new Uint8Array(input.bytes).buffer);
  const round = (value, digits) => Number(value.toFixed(digits));
  return { data: { activePower: round(view.getFloat32(0), 2), voltage_v: round(view.getFloat32(4, true), 1) } };
}
