function decodeUplink(input) { return { data: { heating: input.bytes[0] ? 'on' : 'off', direction: 'N', none: null } }; }
