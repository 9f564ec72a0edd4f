function decodeUplink(input) { return { data: input.bytes[9].toString(16) }; }
