// Node's Buffer, as far as the network servers offer it to codecs. One line when evaluated; see realm.js.
(function () {
"use strict";
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const MAX = 4194304;

function Buffer(value, second, third) {
  if (typeof value === "number") { return Buffer.alloc(value); }
  return Buffer.from(value, second, third);
}
Buffer.prototype = Object.create(Uint8Array.prototype, { constructor: { value: Buffer, writable: true, configurable: true } });
Object.setPrototypeOf(Buffer, Uint8Array);

const become = (bytes) => Object.setPrototypeOf(bytes, Buffer.prototype);
const sized = (size) => {
  if (typeof size !== "number" || !(size >= 0 && size <= MAX)) { throw new RangeError("The value of \"size\" is out of range"); }
  return become(new Uint8Array(size));
};
const named = (encoding) => {
  const name = encoding === undefined || encoding === null || encoding === "" ? "utf8" : String(encoding).toLowerCase();
  const known = { "utf8": "utf8", "utf-8": "utf8", "hex": "hex", "ascii": "ascii", "latin1": "latin1", "binary": "latin1", "base64": "base64", "base64url": "base64url", "ucs2": "utf16le", "ucs-2": "utf16le", "utf16le": "utf16le", "utf-16le": "utf16le" };
  return Object.hasOwn(known, name) ? known[name] : undefined;
};

const utf8 = (text) => {
  const out = [];
  for (const letter of text.toWellFormed()) {
    const c = letter.codePointAt(0);
    if (c < 0x80) { out.push(c); }
    else if (c < 0x800) { out.push(0xc0 | c >> 6, 0x80 | c & 63); }
    else if (c < 0x10000) { out.push(0xe0 | c >> 12, 0x80 | c >> 6 & 63, 0x80 | c & 63); }
    else { out.push(0xf0 | c >> 18, 0x80 | c >> 12 & 63, 0x80 | c >> 6 & 63, 0x80 | c & 63); }
  }
  return out;
};
const fromUtf8 = (bytes) => {
  let text = "";
  let i = 0;
  while (i < bytes.length) {
    const first = bytes[i];
    const more = first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : -1;
    let code = more < 0 ? 0xfffd : more === 0 ? first : first & (0x3f >> more);
    let read = 1;
    for (let k = 1; k <= more; k++) {
      const next = bytes[i + k];
      const low = k > 1 ? 0x80 : first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
      const high = k > 1 ? 0xbf : first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
      if (next === undefined || next < low || next > high) { code = 0xfffd; break; }
      code = code << 6 | next & 63;
      read = k + 1;
    }
    text += String.fromCodePoint(code);
    i += read;
  }
  return text;
};
const hex = (text) => {
  const out = [];
  for (let i = 0; i + 1 < text.length; i += 2) {
    const pair = text.slice(i, i + 2);
    if (!/^[0-9a-fA-F]{2}$/.test(pair)) { break; }
    out.push(parseInt(pair, 16));
  }
  return out;
};
const base64 = (text) => {
  const out = [];
  let bits = 0, held = 0;
  for (const letter of text) {
    if (letter === "=") { break; }
    const value = LETTERS.indexOf(letter === "-" ? "+" : letter === "_" ? "/" : letter);
    if (value < 0) { continue; }
    bits = (bits << 6 | value) & 0xffffff;
    held += 6;
    if (held >= 8) { held -= 8; out.push(bits >> held & 255); }
  }
  return out;
};
const toBase64 = (bytes, url) => {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const three = bytes[i] << 16 | (bytes[i + 1] || 0) << 8 | (bytes[i + 2] || 0);
    text += LETTERS[three >> 18] + LETTERS[three >> 12 & 63] + (i + 1 < bytes.length ? LETTERS[three >> 6 & 63] : "=") + (i + 2 < bytes.length ? LETTERS[three & 63] : "=");
  }
  return url ? text.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "") : text;
};
const units = (text) => {
  const out = [];
  for (let i = 0; i < text.length; i++) { out.push(text.charCodeAt(i) & 255, text.charCodeAt(i) >> 8); }
  return out;
};
const encoded = (text, encoding) => {
  const name = named(encoding);
  if (name === undefined) { throw new TypeError("Unknown encoding: " + encoding); }
  if (name === "hex") { return hex(text); }
  if (name === "base64" || name === "base64url") { return base64(text); }
  if (name === "utf16le") { return units(text); }
  if (name === "utf8") { return utf8(text); }
  return Array.from({ length: text.length }, (_, i) => text.charCodeAt(i) & 255);
};

const statics = {
  from(value, second, third) {
    if (typeof value === "string") { return become(new Uint8Array(encoded(value, second))); }
    if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) { return become(new Uint8Array(value, second, third)); }
    if (ArrayBuffer.isView(value)) { return become(new Uint8Array(value)); }
    if (value !== null && typeof value === "object") {
      if (value.type === "Buffer" && Array.isArray(value.data)) { return become(new Uint8Array(value.data)); }
      if (typeof value.length === "number") {
        if (value.length > MAX) { throw new RangeError("The value of \"size\" is out of range"); }
        return become(Uint8Array.from(value));
      }
      const plain = value.valueOf();
      if (plain !== value && plain !== null && plain !== undefined) { return Buffer.from(plain, second, third); }
    }
    throw new TypeError("The first argument must be a string, Buffer, ArrayBuffer, Array or Array-like object");
  },
  of(...bytes) { return Buffer.from(bytes); },
  alloc(size, fill, encoding) {
    const made = sized(size);
    return fill === undefined ? made : made.fill(fill, encoding);
  },
  allocUnsafe(size) { return sized(size); },
  allocUnsafeSlow(size) { return sized(size); },
  isBuffer(value) { return value instanceof Buffer; },
  isEncoding(encoding) { return typeof encoding === "string" && encoding !== "" && named(encoding) !== undefined; },
  byteLength(value, encoding) { return typeof value === "string" ? encoded(value, encoding).length : value.byteLength; },
  concat(list, total) {
    if (!Array.isArray(list)) { throw new TypeError("\"list\" must be an Array of Buffers"); }
    const length = total === undefined ? list.reduce((sum, one) => sum + one.length, 0) : total;
    const whole = sized(length);
    let at = 0;
    for (const one of list) {
      const fits = one.length > length - at ? Uint8Array.prototype.subarray.call(one, 0, length - at) : one;
      whole.set(fits, at);
      at += fits.length;
    }
    return whole;
  },
  compare(one, other) {
    const shared = Math.min(one.length, other.length);
    for (let i = 0; i < shared; i++) { if (one[i] !== other[i]) { return one[i] < other[i] ? -1 : 1; } }
    return Math.sign(one.length - other.length);
  },
  poolSize: 8192
};

const whole = (given, fallback, length) => {
  const number = given === undefined ? fallback : Math.trunc(Number(given)) || 0;
  return Math.min(Math.max(number < 0 ? number + length : number, 0), length);
};
const view = (bytes, offset, size) => {
  const at = offset === undefined ? 0 : offset;
  if (typeof at !== "number") { throw new TypeError("The \"offset\" argument must be of type number"); }
  if (!Number.isInteger(at) || at < 0 || at + size > bytes.length) { throw new RangeError("Index out of range"); }
  return new DataView(bytes.buffer, bytes.byteOffset + at, size);
};
const width = (size) => {
  if (!Number.isInteger(size) || size < 1 || size > 6) { throw new RangeError("The value of \"byteLength\" is out of range"); }
  return size;
};
const readUint = (bytes, offset, size, little) => {
  const from = view(bytes, offset, width(size));
  let value = 0;
  for (let i = 0; i < size; i++) { value = value * 256 + from.getUint8(little ? size - 1 - i : i); }
  return value;
};
const readInt = (bytes, offset, size, little) => {
  const value = readUint(bytes, offset, size, little);
  return value >= 2 ** (8 * size - 1) ? value - 2 ** (8 * size) : value;
};
const writeInt = (bytes, value, offset, size, little, low, high) => {
  const number = Number(value);
  if (number < low || number > high) { throw new RangeError("\"value\" argument is out of bounds"); }
  const into = view(bytes, offset, width(size));
  let rest = Math.trunc(number) || 0;
  if (rest < 0) { rest += 2 ** (8 * size); }
  for (let i = 0; i < size; i++) { into.setUint8(little ? i : size - 1 - i, rest % 256); rest = Math.floor(rest / 256); }
  return (offset === undefined ? 0 : offset) + size;
};
const needle = (value, encoding) => typeof value === "string" ? new Uint8Array(encoded(value, encoding)) : typeof value === "number" ? new Uint8Array([value]) : value;

const methods = {
  toString(encoding, start, end) {
    const from = whole(start, 0, this.length), to = whole(end, this.length, this.length);
    const bytes = Uint8Array.prototype.subarray.call(this, from, Math.max(from, to));
    const name = named(encoding);
    if (name === undefined) { throw new TypeError("Unknown encoding: " + encoding); }
    if (name === "utf8") { return fromUtf8(bytes); }
    if (name === "base64" || name === "base64url") { return toBase64(bytes, name === "base64url"); }
    let text = "";
    if (name === "hex") { for (let i = 0; i < bytes.length; i++) { text += (bytes[i] < 16 ? "0" : "") + bytes[i].toString(16); } return text; }
    if (name === "utf16le") { for (let i = 0; i + 1 < bytes.length; i += 2) { text += String.fromCharCode(bytes[i] | bytes[i + 1] << 8); } return text; }
    const mask = name === "ascii" ? 127 : 255;
    for (let i = 0; i < bytes.length; i++) { text += String.fromCharCode(bytes[i] & mask); }
    return text;
  },
  toLocaleString(encoding, start, end) { return this.toString(encoding, start, end); },
  inspect() { return "<Buffer " + (this.toString("hex", 0, 50).match(/../g) || []).join(" ") + ">"; },
  slice(start, end) { return this.subarray(start, end); },
  subarray(start, end) {
    const from = whole(start, 0, this.length), to = whole(end, this.length, this.length);
    return become(new Uint8Array(this.buffer, this.byteOffset + from, Math.max(to - from, 0)));
  },
  equals(other) { return Buffer.compare(this, other) === 0; },
  compare(other, start, end, from, to) {
    return Buffer.compare(this.subarray(from, to), Buffer.prototype.subarray.call(other, start, end));
  },
  copy(target, targetStart, start, end) {
    const into = targetStart === undefined ? 0 : targetStart;
    const from = whole(start, 0, this.length), to = whole(end, this.length, this.length);
    const count = Math.max(0, Math.min(to - from, target.length - into));
    target.set(new Uint8Array(this.buffer, this.byteOffset + from, count), into);
    return count;
  },
  fill(value, start, end, encoding) {
    if (typeof start === "string") { return this.fill(value, 0, this.length, start); }
    if (typeof end === "string") { return this.fill(value, start, this.length, end); }
    const from = whole(start, 0, this.length), to = whole(end, this.length, this.length);
    const pattern = typeof value === "string" ? encoded(value, encoding) : typeof value === "object" && value !== null ? value : [Number(value) & 255];
    for (let i = from; i < to; i++) { this[i] = pattern.length ? pattern[(i - from) % pattern.length] : 0; }
    return this;
  },
  indexOf(value, start, encoding) {
    const sought = typeof start === "string" ? needle(value, start) : needle(value, encoding);
    const from = typeof start === "string" ? 0 : whole(start, 0, this.length);
    for (let i = from; i + sought.length <= this.length; i++) {
      let k = 0;
      while (k < sought.length && this[i + k] === sought[k]) { k++; }
      if (k === sought.length) { return i; }
    }
    return -1;
  },
  lastIndexOf(value, start, encoding) {
    const sought = typeof start === "string" ? needle(value, start) : needle(value, encoding);
    for (let i = Math.min(typeof start === "number" ? whole(start, 0, this.length) : this.length, this.length - sought.length); i >= 0; i--) {
      let k = 0;
      while (k < sought.length && this[i + k] === sought[k]) { k++; }
      if (k === sought.length) { return i; }
    }
    return -1;
  },
  includes(value, start, encoding) { return this.indexOf(value, start, encoding) !== -1; },
  write(text, offset, length, encoding) {
    if (typeof offset === "string") { return this.write(text, 0, this.length, offset); }
    if (typeof length === "string") { return this.write(text, offset, undefined, length); }
    const at = offset === undefined ? 0 : offset;
    const room = Math.min(length === undefined ? this.length - at : length, this.length - at);
    const bytes = encoded(String(text), encoding).slice(0, Math.max(room, 0));
    this.set(bytes, at);
    return bytes.length;
  },
  readUIntLE(offset, size) { return readUint(this, offset, size, true); },
  readUIntBE(offset, size) { return readUint(this, offset, size, false); },
  readIntLE(offset, size) { return readInt(this, offset, size, true); },
  readIntBE(offset, size) { return readInt(this, offset, size, false); },
  writeUIntLE(value, offset, size) { return writeInt(this, value, offset, size, true, 0, 2 ** (8 * size) - 1); },
  writeUIntBE(value, offset, size) { return writeInt(this, value, offset, size, false, 0, 2 ** (8 * size) - 1); },
  writeIntLE(value, offset, size) { return writeInt(this, value, offset, size, true, -(2 ** (8 * size - 1)), 2 ** (8 * size - 1) - 1); },
  writeIntBE(value, offset, size) { return writeInt(this, value, offset, size, false, -(2 ** (8 * size - 1)), 2 ** (8 * size - 1) - 1); }
};
for (const [bits, ends] of [[8, [""]], [16, ["LE", "BE"]], [32, ["LE", "BE"]]]) {
  for (const end of ends) {
    const size = bits / 8, little = end === "LE";
    methods["readUInt" + bits + end] = function (offset) { return view(this, offset, size)["getUint" + bits](0, little); };
    methods["readInt" + bits + end] = function (offset) { return view(this, offset, size)["getInt" + bits](0, little); };
    methods["writeUInt" + bits + end] = function (value, offset) { return writeInt(this, value, offset, size, little, 0, 2 ** bits - 1); };
    methods["writeInt" + bits + end] = function (value, offset) { return writeInt(this, value, offset, size, little, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1); };
  }
}
for (const [name, size, kind] of [["Float", 4, "Float32"], ["Double", 8, "Float64"], ["BigUInt64", 8, "BigUint64"], ["BigInt64", 8, "BigInt64"]]) {
  for (const end of ["LE", "BE"]) {
    methods["read" + name + end] = function (offset) { return view(this, offset, size)["get" + kind](0, end === "LE"); };
    methods["write" + name + end] = function (value, offset) { view(this, offset, size)["set" + kind](0, value, end === "LE"); return (offset === undefined ? 0 : offset) + size; };
  }
}
for (const size of [2, 4, 8]) {
  methods["swap" + size * 8] = function () {
    if (this.length % size !== 0) { throw new RangeError("Buffer size must be a multiple of " + size * 8 + "-bits"); }
    for (let i = 0; i < this.length; i += size) { new Uint8Array(this.buffer, this.byteOffset + i, size).reverse(); }
    return this;
  };
}
for (const name of Object.keys(methods)) { if (name.includes("UInt")) { methods[name.replace("UInt", "Uint")] = methods[name]; } }

const put = (owner, members) => { for (const name of Object.keys(members)) { Object.defineProperty(owner, name, { value: members[name], writable: true, configurable: true, enumerable: false }); } };
put(Buffer, statics);
put(Buffer.prototype, methods);
put(globalThis, { Buffer });
})()
