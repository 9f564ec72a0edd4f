var STATES = ['FREE', 'OCCUPIED', 'UNKNOWN'];
function decodeUplink(input) {
  return { data: { parkingState: STATES[input.bytes[0]], temperature: (input.bytes[1] << 24 >> 24) } };
}
