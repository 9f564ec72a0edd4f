function decodeUplink(input) {
  const data = {};
  for (let i = 0; i + 2 < input.bytes.length + 1 && i < input.bytes.length;) {
    const channel = input.bytes[i++], type = input.bytes[i++];
    if (channel === 0x01 && type === 0x75) data.battery_percent = input.bytes[i++];
    else if (channel === 0x04 && type === 0x00) data.occupied = input.bytes[i++] === 0 ? 'vacant' : 'occupied';
    else break;
  }
  return { data };
}
