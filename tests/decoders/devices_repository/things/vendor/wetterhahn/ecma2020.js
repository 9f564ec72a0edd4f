class Reader {
  #at = 0;
  constructor(bytes) { this.bytes = bytes; }
  take(count) {
    let value = 0n;
    for (const byte of this.bytes.slice(this.#at, this.#at += count)) value = value << 8n | BigInt(byte);
    return Number(value);
  }
}
const decodeUplink = (input) => {
  const reader = new Reader(input.bytes);
  const data = { counter: reader.take(6), wind: reader.take(1) ?? 0 };
  return { data: { ...data, gust: data?.none?.more ?? 'calm' } };
};
