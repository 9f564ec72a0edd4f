function decodeUplink(input) {
  const values = [];
  for (let i = 0; i < input.bytes.length; i += 2) values.push({ value: (input.bytes[i] << 8) | input.bytes[i + 1] });
  return { data: { values, count: values.length } };
}
