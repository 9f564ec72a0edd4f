function decodeUplink(input) { return { data: { level: 1 } }; }
