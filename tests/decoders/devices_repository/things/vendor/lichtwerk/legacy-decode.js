function Decode(fPort, bytes, variables) {
  return { port: fPort, burn_hours: bytes[0] * 256 + bytes[1], has_variables: typeof variables === 'object' };
}

function Encode(fPort, obj, variables) {
  return [0xd0, obj.level];
}
