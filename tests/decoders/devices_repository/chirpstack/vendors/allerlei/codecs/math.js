function decodeUplink(input) {
  const r = input.bytes[0] * 100;
  return { data: { ohm: r, celsius: Math.log(r / 10000) * -25 + 25, pow: Math.pow(10, input.bytes[1] / 10) } };
}
