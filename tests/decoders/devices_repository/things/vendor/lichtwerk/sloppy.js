// old style: undeclared variables, an octal number, a function in a block
function decodeUplink(input) {
  level = input.bytes[0] & 0177;
  if (true) { function half(x) { return x / 2; } }
  with_unit = { voltage_v: input.bytes[1] + 100, temperature_c: half(input.bytes[2]) - 20 };
  result = { level: level };
  for (key in with_unit) result[key] = with_unit[key];
  return { data: result };
}
