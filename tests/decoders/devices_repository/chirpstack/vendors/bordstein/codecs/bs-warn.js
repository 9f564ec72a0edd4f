function decodeUplink(input) {
  const warnings = input.bytes[1] < 10 ? ['battery low'] : [];
  return { data: { vehicle: input.bytes[0] }, warnings };
}
