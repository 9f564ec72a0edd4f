function decodeUplink(input) {
  var warnings = [];
  var current = input.bytes[0] * 10;
  if (current > 1000) warnings.push('overcurrent');
  return { data: { current_mA: current }, warnings: warnings };
}
