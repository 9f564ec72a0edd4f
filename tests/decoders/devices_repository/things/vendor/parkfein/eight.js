function decodeUplink({ bytes }) {
  return { data: { bays: Array.from({ length: 8 }, (_, n) => ({ occupied: !!(bytes[0] >> n & 1) })).slice(0, bytes[1]) } };
}
