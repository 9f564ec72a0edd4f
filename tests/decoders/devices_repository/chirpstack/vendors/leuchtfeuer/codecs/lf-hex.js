function decodeUplink(input) { return { data: { level: input.bytes[1] } }; }
