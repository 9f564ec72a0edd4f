var codec = (function () {
  var table = { 0: false, 1: true };
  return { read: function (b) { if (!(b in table)) throw new Error('state ' + b); return { occupied: table[b] }; } };
})();
function decodeUplink(input) {
  try {
    return { data: codec.read(input.bytes[0]) };
  } catch (error) {
    return { errors: [error.message] };
  }
}
