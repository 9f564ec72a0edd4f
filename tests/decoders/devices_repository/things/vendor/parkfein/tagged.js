function hex(bytes) { return bytes.map(function (b) { return ('0' + b.toString(16)).slice(-2); }).join(''); }
function decodeUplink(input) {
  return { data: { occupancy: input.bytes[0], tag_id: hex(input.bytes.slice(1, 5)) } };
}
