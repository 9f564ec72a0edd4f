function decodeUplink(input) {
  const text = String.fromCharCode(...input.bytes);
  const match = /^T=(?<t>-?\d+);H=(?<h>\d+)$/.exec(text);
  return match ? { data: { t: parseInt(match.groups.t, 10), h: +match.groups.h } } : { errors: ['no such text'] };
}
