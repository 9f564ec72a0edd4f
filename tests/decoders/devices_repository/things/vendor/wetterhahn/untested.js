function decodeUplink(input) { return { data: { rain: input.bytes[0] } }; }
