function decodeUplink(input) { return { data: decodeUplink(input) }; }
