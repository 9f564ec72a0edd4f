function decodeUplink(input) {
  return { data: { t: input.bytes[0], st: input.bytes[1] } };
}

function normalizeUplink(input) {
  return { data: { air: { temperature: input.data.t / 2 }, parking: { occupied: input.data.st === 2 } } };
}
