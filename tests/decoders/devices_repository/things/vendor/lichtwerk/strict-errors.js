function decodeUplink(input) {
  'use strict';
  var crc = input.bytes.slice(0, -1).reduce(function (a, b) { return a ^ b; }, 0);
  if (crc !== input.bytes[input.bytes.length - 1]) {
    return { errors: ['checksum ' + crc + ' expected', 'frame dropped'] };
  }
  return { data: { relay: input.bytes[0] === 1 ? 'closed' : 'open' } };
}
