function helper(bytes) { return (bytes[0] << 8) + bytes[1]; }
var scale = 10;
function decodeUplink(input) { return { data: { tilt_deg: helper(input.bytes) / scale } }; }
