function decodeUplink(input) { return { data: { text: 'x'.repeat(1 << 20) } }; }
