function helper(value) { return [value >> 8, value & 255]; }
var scale = 2;
function encodeDownlink(input) { return { fPort: 5, bytes: helper(input.data.limit * scale) }; }
function decodeDownlink(input) { return { data: { limit: ((input.bytes[0] << 8) + input.bytes[1]) / scale } }; }
