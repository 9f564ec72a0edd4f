function Decoder(bytes, port) {
  var decoded = {};
  if (port === 2) {
    decoded.brightness = bytes[0];
    decoded.pf = bytes[1] / 100;
  }
  return decoded;
}
