function decodeUplink(input) { return { data: { ok: 1 } }; }
