// What a codec script meets, and how it is called. The worker joins these lines to one (so that line 1 is ours and
// the script's own lines can be told), hence: no comment behind code, a semicolon behind every statement.
(function () {
"use strict";
const $global = globalThis;
const { apply, ownKeys, deleteProperty, isExtensible, getPrototypeOf, getOwnPropertyDescriptor, defineProperty, setPrototypeOf } = Reflect;
const { freeze, assign } = Object;
const { isArray } = Array;
const { parse, stringify } = JSON;
const $Date = Date, $Error = Error, $Promise = Promise, $Set = Set, $Number = Number, $String = String;
const $isView = ArrayBuffer.isView;
const $isFinite = Number.isFinite, $trunc = Math.trunc, $isSafe = Number.isSafeInteger;
const $has = Set.prototype.has, $exec = RegExp.prototype.exec, $slice = String.prototype.slice, $join = Array.prototype.join;
const $function = Function.prototype;
const $TypedArray = getPrototypeOf(Uint8Array);

// What JSON cannot say, said in one stated way.
const $say = (owner, name, value) => defineProperty(owner, name, { value, writable: true, configurable: true, enumerable: false });
$say($TypedArray.prototype, "toJSON", function toJSON() { return Array.from(this); });
$say(ArrayBuffer.prototype, "toJSON", function toJSON() { return Array.from(new Uint8Array(this)); });
$say(BigInt.prototype, "toJSON", function toJSON() { const n = $Number(this); return $isSafe(n) ? n : this.toString(); });
$say(Map.prototype, "toJSON", function toJSON() { return Object.fromEntries(this); });
$say(Set.prototype, "toJSON", function toJSON() { return Array.from(this); });

// Whatever is written to it is heard by nobody.
const $nothing = () => undefined;
$say($global, "console", { log: $nothing, info: $nothing, warn: $nothing, error: $nothing, debug: $nothing, trace: $nothing });
deleteProperty($global, "performance");
deleteProperty($global, "queueMicrotask");

// What is set through these is kept by the engine itself, where freezing does not reach: it would outlast the call.
deleteProperty($Error, "prepareStackTrace");
deleteProperty($Error, "stackTraceLimit");

// Each thing that is built in, once, with its keys and their descriptors; a function's own name and length are left out.
const $walk = (visit) => {
  const waiting = [(function* () {})(), (async function () {}), (async function* () {}), (async function* () {})(), [][Symbol.iterator](), new Map().entries(), new Set().values(), ""[Symbol.iterator](), "".matchAll(/a/g), [].values().map((x) => x), Iterator.from({ next() {} })];
  for (let i = 0; i < waiting.length; i++) { waiting[i] = getPrototypeOf(waiting[i]); }
  const seen = new $Set([$global, null, undefined]);
  for (const name of ownKeys($global)) { waiting.push($global[name]); }
  while (waiting.length) {
    const one = waiting.pop();
    if ((typeof one !== "object" && typeof one !== "function") || seen.has(one)) { continue; }
    seen.add(one);
    const keys = ownKeys(one);
    const plain = typeof one === "function" && keys.length === 2;
    const properties = [];
    if (!plain) {
      for (let i = 0; i < keys.length; i++) {
        const property = getOwnPropertyDescriptor(one, keys[i]);
        properties.push(property);
        if (property.get || property.set) { waiting.push(property.get, property.set); }
        else if (typeof property.value === "object" || typeof property.value === "function") { waiting.push(property.value); }
      }
    }
    const parent = getPrototypeOf(one);
    if (parent !== $function) { waiting.push(parent); }
    visit(one, parent, keys, properties);
  }
};

// A picture of all that is built in; the function that comes back says whether it looks different now.
const $picture = () => {
  const taken = [];
  const keys = ownKeys($global);
  $walk((one, parent, keys, properties) => taken.push([one, parent, keys, properties]));
  taken.push([$global, null, keys, keys.map((key) => getOwnPropertyDescriptor($global, key))]);
  return () => {
    for (let i = 0; i < taken.length; i++) {
      const [one, parent, keys, before] = taken[i];
      if (one !== $global && (getPrototypeOf(one) !== parent || ownKeys(one).length !== keys.length)) { return true; }
      for (let k = 0; k < before.length; k++) {
        const now = getOwnPropertyDescriptor(one, keys[k]);
        const then = before[k];
        if (now === undefined || now.value !== then.value && now.value === now.value || now.get !== then.get || now.set !== then.set) { return true; }
      }
    }
    return false;
  };
};

let $touched = false;

// A frozen prototype would forbid `data.constructor = 1` on everything below it; an accessor allows it.
const $allow = (owner, key) => {
  const property = getOwnPropertyDescriptor(owner, key);
  if (!property || !("value" in property) || !property.configurable) { return; }
  const value = property.value;
  freeze(value);
  defineProperty(owner, key, { enumerable: property.enumerable, configurable: false,
    get: freeze({ get() { return value; } }.get),
    set: freeze({ set(given) {
      if (this === owner) { $touched = true; throw new TypeError("what is built in cannot be changed here"); }
      defineProperty(this, key, { value: given, writable: true, enumerable: true, configurable: true });
    } }.set) });
};

// Nothing of a call may be left for the next: all that is built in is frozen, and the global object, whose own keys are
// looked through after every call, hands what is built in down from a frozen parent.
const $lock = () => {
  defineProperty($global, "eval", { value: function () { $touched = true; throw new EvalError("eval is not here"); }, writable: true, configurable: true, enumerable: false });
  for (const owner of [Object.prototype, Function.prototype, Array.prototype]) { for (const key of ownKeys(owner)) { if (typeof key === "string" && key !== "length") { $allow(owner, key); } } }
  for (const kind of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]) { for (const key of ["constructor", "name", "message", "toString"]) { $allow(kind.prototype, key); } }
  const all = [$function];
  $walk((one) => all.push(one));
  for (let i = 0; i < all.length; i++) { freeze(all[i]); }
  const below = Object.prototype, parent = { __proto__: null };
  for (const key of ownKeys($global)) {
    const property = getOwnPropertyDescriptor($global, key);
    if (property.configurable) { defineProperty(parent, key, property); deleteProperty($global, key); }
  }
  setPrototypeOf(parent, below);
  setPrototypeOf($global, freeze(parent));
  return parent;
};

const $sweep = (known, size, parent) => {
  const keys = ownKeys($global);
  let whole = isExtensible($global) && getPrototypeOf($global) === parent;
  if (keys.length !== size) {
    for (let i = 0; i < keys.length; i++) {
      if (!apply($has, known, [keys[i]])) { whole = deleteProperty($global, keys[i]) && whole; }
    }
  }
  return whole;
};

const $line = (error) => {
  try {
    const stack = error.stack;
    if (typeof stack !== "string") { return 0; }
    const frames = /<input>:([2-9]|\d{2,7})\b/;
    const found = apply($exec, frames, [stack]);
    return found ? $Number(found[1]) - 1 : 0;
  } catch (again) { return 0; }
};

// Always a string, whatever a script throws or says; each property is read once, for it may be another the next time.
const $words = (thing) => {
  try {
    if (typeof thing === "object" && thing !== null) {
      const message = thing.message, name = thing.name;
      if (typeof message === "string") { return typeof name === "string" && name !== "" ? name + ": " + message : message; }
      if (thing.toString === Object.prototype.toString) { return $String(stringify(thing)); }
    }
    return $String(thing);
  } catch (again) { return "something that cannot be put into words"; }
};

// The first 20 of a script's own list in words. None of the list's methods is called: they may be the script's.
const $phrases = (given) => {
  const said = [], count = given.length;
  for (let i = 0; i < 20 && i < count; i++) { said[i] = apply($slice, $words(given[i]), [0, 600]); }
  return said;
};

const $clip = (words) => stringify(apply($slice, words, [0, 600]));

const $thrown = (error) => {
  const words = $words(error);
  if (words === "InternalError: out of memory") { return "M"; }
  if (words === "RangeError: Maximum call stack size exceeded") { return "S"; }
  return "X" + $line(error) + "\n" + $clip(words);
};

const $unusable = (words) => "N" + $clip(words);

const $kind = (value) => value === null ? "null" : isArray(value) ? "a list" : value instanceof $Promise ? "a promise" : typeof value === "object" ? "an object" : typeof value;

const $complaint = (result, name) => {
  if (typeof result !== "object" || result === null || isArray(result) || result instanceof $Promise) { return $unusable(name + " returned " + $kind(result) + ", not an object"); }
  const errors = result.errors;
  if (isArray(errors) ? errors.length > 0 : typeof errors === "string" && errors !== "") {
    return "E" + $clip(isArray(errors) ? apply($join, $phrases(errors), [", "]) : errors);
  }
  return "";
};

const $warnings = (result) => {
  const given = result.warnings;
  if (isArray(given) ? given.length === 0 : typeof given !== "string" || given === "") { return []; }
  return isArray(given) ? $phrases(given) : [apply($slice, given, [0, 600])];
};

// Data are their own letter: JSON's brace. The worker puts a D before it, which costs less there.
const $data = (data, name, warnings) => {
  const text = data === undefined ? undefined : stringify(data);
  if (text === undefined || text[0] !== "{") { return $unusable(name + " returned " + (data === undefined ? "no data" : "data that is " + $kind(data) + ", not an object")); }
  return warnings.length === 0 ? text : text + "\n" + stringify(warnings);
};

const $answer = (result, name) => $complaint(result, name) || $data(result.data, name, $warnings(result));

const $none = { __proto__: null };
const $nobody = [];

// An entry point by its name: a function of the script, or one that it exports.
const $find = (own, module, name) => {
  if (own[name] || module === $none) { return own[name]; }
  const exported = module.exports;
  return (typeof exported === "object" && exported !== null && typeof exported[name] === "function" ? exported[name] : undefined);
};

const $uplink = (own, module, given) => {
  const decode = own.decodeUplink || $find(own, module, "decodeUplink");
  if (decode) { return decode({ bytes: given[0], fPort: given[1], recvTime: new $Date(given[2]), variables: given[3] }); }
  const third = $find(own, module, "Decode"), second = $find(own, module, "Decoder");
  if (third) { return { data: third(given[1], given[0], given[3]) }; }
  return second ? { data: second(given[0], given[1]) } : $none;
};

const $missing = (names) => $unusable("the script defines no function " + names);

const $decode = (own, module, given) => {
  const result = $uplink(own, module, given);
  return result === $none ? $missing("decodeUplink, Decode or Decoder") : $answer(result, "decodeUplink");
};

const $normalize = (own, module, given) => {
  const normalize = $find(own, module, "normalizeUplink");
  if (!normalize) { return $missing("normalizeUplink"); }
  const result = $uplink(own, module, given);
  if (result === $none) { return $missing("decodeUplink, Decode or Decoder"); }
  const complaint = $complaint(result, "decodeUplink");
  if (complaint) { return complaint; }
  const warnings = $warnings(result);
  if (typeof result.data !== "object" || result.data === null) { return $data(result.data, "decodeUplink", warnings); }
  const normal = normalize({ data: result.data, fPort: given[1], recvTime: new $Date(given[2]), variables: given[3] });
  const second = $complaint(normal, "normalizeUplink");
  if (second) { return second; }
  const data = isArray(normal.data) ? (normal.data.length === 1 ? normal.data[0] : assign({}, normal.data)) : normal.data;
  return $data(data, "normalizeUplink", warnings.concat($warnings(normal)));
};

const $undo = (own, module, given) => {
  const decode = $find(own, module, "decodeDownlink");
  return decode ? $answer(decode({ bytes: given[0], fPort: given[1], recvTime: new $Date(given[2]), variables: given[3] }), "decodeDownlink") : $missing("decodeDownlink");
};

const $frame = (bytes, port, name) => {
  if (!isArray(bytes) && !($isView(bytes) && bytes.length >= 0)) { return $unusable(name + " returned " + (bytes === undefined ? "no bytes" : "bytes that are " + $kind(bytes) + ", not a list")); }
  if (port === undefined || port === null) { port = 1; }
  if (!$isSafe(port) || port < 1 || port > 223) { return $unusable(name + " returned the fPort " + $words(port) + ", not 1-223"); }
  const count = bytes.length;
  if (!$isSafe(count) || count < 1 || count > 242) { return $unusable(name + " returned " + $words(count) + " bytes; a downlink has 1-242"); }
  const said = [port];
  for (let i = 0; i < count; i++) {
    const byte = bytes[i];
    if (typeof byte !== "number" || !(byte >= 0 && byte < 256)) { return $unusable(name + " returned " + (typeof byte === "number" ? $String(byte) : $kind(byte)) + " as byte " + i + ", not 0-255"); }
    said[i + 1] = $trunc(byte);
  }
  return "B" + stringify(said);
};

const $encode = (own, module, given) => {
  const data = given[0], variables = given[1];
  const encode = $find(own, module, "encodeDownlink"), third = $find(own, module, "Encode"), second = $find(own, module, "Encoder");
  if (encode) {
    const result = encode({ data, variables, fPort: 1 });
    return $complaint(result, "encodeDownlink") || $frame(result.bytes, result.fPort, "encodeDownlink");
  }
  if (third) { return $frame(third(1, data, variables), 1, "Encode"); }
  return second ? $frame(second(data, 1), 1, "Encoder") : $missing("encodeDownlink, Encode or Encoder");
};

const $kinds = { n: $normalize, e: $encode, d: $undo };
const $entries = ["decodeUplink", "encodeDownlink", "decodeDownlink", "normalizeUplink", "Decode", "Encode", "Decoder", "Encoder"];

const $defined = (own, module) => {
  let found = "";
  for (let i = 0; i < $entries.length; i++) { if ($find(own, module, $entries[i])) { found += " " + $entries[i]; } }
  return found;
};

// Evaluates the script anew and calls it: its top-level state is that of one call.
const $once = (factory, kind, text) => {
  try {
    const module = factory.length === 0 ? $none : { exports: {} };
    const own = module === $none ? apply(factory, $global, $nobody) : apply(factory, $global, [module, module.exports]);
    if (kind === "u") { return $decode(own, module, parse(text)); }
    if (kind === "c") { return "C" + $defined(own, module); }
    return $kinds[kind](own, module, parse(text));
  } catch (error) {
    return $thrown(error);
  }
};

// The binding cannot take a string over that the engine still holds as a rope of its parts. JSON is none.
const $flat = (text) => text.length < 200 ? text : apply($join, [text, ""], [""]);

// (factory, locked): a function (kind, text) => answer. Locked: for many calls. Else: for one, after which "?" asks
// whether the script has changed anything that is built in.
return (factory, locked) => {
  if (!locked) {
    const changed = locked === null ? $picture() : $nothing;
    return (kind, text) => kind === "?" ? changed() === true : $flat($once(factory, kind, text));
  }
  freeze(factory);
  freeze(factory.prototype);
  const parent = $lock();
  const known = new $Set(ownKeys($global)), size = known.size;
  return (kind, text) => {
    const answer = $once(factory, kind, text);
    const whole = $sweep(known, size, parent);
    if ($touched) { $touched = false; return "!"; }
    if (!whole) { return $flat("~" + answer); }
    return answer[answer.length - 1] === "}" ? answer : $flat(answer);
  };
};
})()
