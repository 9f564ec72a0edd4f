function decodeUplink(input) {
  var data = {}, i = 0, b = input.bytes;
  while (i < b.length) {
    switch (b[i]) {
      case 1: data.temperature = ((b[i + 1] << 8 | b[i + 2]) << 16 >> 16) / 10; i += 3; break;
      case 2: data.humidity = b[i + 1]; i += 2; break;
      default: return { errors: ['unknown type ' + b[i]] };
    }
  }
  return { data: data };
}
