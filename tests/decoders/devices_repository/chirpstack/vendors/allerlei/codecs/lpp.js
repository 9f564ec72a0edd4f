function decodeUplink(input) {
  const types = { 0x67: [2, 0.1, 'temperature'], 0x68: [1, 0.5, 'humidity'], 0x66: [1, 1, 'presence'] };
  const data = {};
  for (let i = 0; i < input.bytes.length;) {
    const [size, scale, name] = types[input.bytes[i + 1]] || [];
    if (!size) return { errors: ['unknown type 0x' + input.bytes[i + 1].toString(16)] };
    let value = 0;
    for (let n = 0; n < size; n++) value = value * 256 + input.bytes[i + 2 + n];
    data[name + '_' + input.bytes[i]] = value * scale;
    i += 2 + size;
  }
  return { data };
}
