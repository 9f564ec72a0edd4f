'use strict';

function decodeUplink(input) {
  var bytes = input.bytes;
  if (input.fPort !== 10) {
    return { errors: ['unknown FPort'] };
  }
  return {
    data: {
      dim_level: bytes[0],
      power_w: ((bytes[1] << 8) | bytes[2]) / 10,
      energy_kwh: ((bytes[3] << 16) | (bytes[4] << 8) | bytes[5]) / 1000,
    },
  };
}

function encodeDownlink(input) {
  if (!(input.data.level >= 0 && input.data.level <= 100)) {
    return { errors: ['level is 0 to 100'] };
  }
  var minutes = input.data.minutes || 0;
  return { fPort: 20, bytes: [0x01, input.data.level, minutes >> 8, minutes & 0xff] };
}

function decodeDownlink(input) {
  return { data: { level: input.bytes[1], minutes: (input.bytes[2] << 8) | input.bytes[3] } };
}
