function decodeUplink(input) {
  return { data: { dimming: input.bytes[0], power_w: input.bytes[1] } };
}
function encodeDownlink(input) {
  return { fPort: 15, bytes: [input.data.level] };
}
