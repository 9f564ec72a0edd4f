function decodeUplink(input) {
  switch (input.fPort) {
    case 1: return { data: { kind: 'data' } };
    case 2: return { data: { kind: 'status' } };
  }
  return { data: {} };
}
function encodeDownlink({ data: { interval = 15 } }) {
  return { fPort: 1, bytes: [interval & 255, interval >> 8] };
}
