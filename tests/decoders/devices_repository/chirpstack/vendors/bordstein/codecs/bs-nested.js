function decodeUplink(input) {
  return { data: { device: { battery: { voltage_mv: input.bytes[1] * 16 } }, parking: { status: input.bytes[0] ? 'busy' : 'free' } } };
}
