// What the console knows of each lamp, which of them are looked for, and which are chosen. List and map only show this.
export const QUIET = ["silent", "never_heard"], ODD = ["deviates", "waiting"];
const KINDS = ["zone", "circuit", "group"];
const STATES = {
  deviates: (lamp) => ODD.includes(lamp.word), fault: (lamp) => lamp.word === "fault" || lamp.faults.length > 0,
  silent: (lamp) => QUIET.includes(lamp.word), override: (lamp) => lamp.over };

export class LampStore extends EventTarget {
  constructor(feed) {
    super();
    this.all = feed.id.map((id, n) => ({
      n, id, name: feed.name[n], at: [feed.x[n], feed.y[n]], zone: feed.zones[feed.zone[n]].id, zoneName: feed.zones[feed.zone[n]].name,
      circuit: feed.circuit[n] ?? "", groups: [], level: feed.level[n], levelAt: feed.level_at[n], target: feed.target[n],
      over: feed.over[n] === 1, until: feed.until[n], power: feed.power[n], powerAt: feed.power_at[n], nominal: feed.nominal[n],
      word: feed.words[feed.word[n]], faults: feed.faults[id] ?? [], heard: feed.heard[n], dims: feed.dims[n] === 1 }));
    this.byId = new Map(this.all.map((lamp) => [lamp.id, lamp]));
    for (const group of feed.groups) for (const n of group.lamps) this.all[n].groups.push(group.id);
    for (const lamp of this.all) lamp.words = `${lamp.id} ${lamp.name} ${lamp.zoneName} ${feed.device[lamp.n]}`.toLowerCase();
    this.found = this.all;
    this.chosen = new Set();
    this.search = {};
  }

  look(search) {
    this.search = search;
    this.#find();
  }

  #find() {
    const words = (search) => (search.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const { zone, circuit, group, state, fault } = this.search, typed = words(this.search);
    const test = STATES[state];
    this.found = this.all.filter((lamp) => (!zone || lamp.zone === zone) && (!circuit || lamp.circuit === circuit)
      && (!group || lamp.groups.includes(group)) && (!test || test(lamp)) && (!fault || lamp.faults.includes(fault))
      && typed.every((word) => lamp.words.includes(word)));
    this.dispatchEvent(new Event("found"));
  }

  // ---- the one selection
  choose(ids, how = "add") {
    const before = this.chosen.size;
    if (how === "only") this.chosen.clear();
    for (const id of ids) how === "drop" || (how === "toggle" && this.chosen.has(id)) ? this.chosen.delete(id) : this.chosen.add(id);
    this.dispatchEvent(Object.assign(new Event("chosen"), { before }));
  }

  chooseFound() { this.choose(this.found.map((lamp) => lamp.id)); }

  clear() { this.choose([], "only"); }

  // The chosen lamps as a target: the town, a zone, circuit or group where they are exactly its lamps; else "".
  target() {
    const size = this.chosen.size, first = this.byId.get([...this.chosen][0]);
    if (!first) return "";
    if (size === this.all.length) return "town";
    for (const kind of KINDS) {
      for (const id of kind === "group" ? first.groups : [first[kind]].filter(Boolean)) {
        const members = this.all.filter((lamp) => kind === "group" ? lamp.groups.includes(id) : lamp[kind] === id);
        if (members.length === size && members.every((lamp) => this.chosen.has(lamp.id))) return `${kind}:${id}`;
      }
    }
    return "";
  }

  // ---- what the town says
  hear(items) {
    const changed = [];
    const seconds = (text) => text ? Date.parse(text) / 1000 : 0;
    for (const item of items) {
      const lamp = this.byId.get(item.id);
      if (!lamp) continue;
      Object.assign(lamp, {
        level: item.level === null ? -1 : Math.round(item.level), levelAt: seconds(item.level_at), target: item.target.level,
        over: item.target.reason === "override", until: seconds(item.target.until), power: item.power_w ?? -1,
        powerAt: seconds(item.power_at), heard: seconds(item.heard_at), word: item.state, faults: item.alarms });
      changed.push(lamp);
    }
    if (!changed.length) return;
    if (this.search.state || this.search.fault) this.#find();
    this.dispatchEvent(Object.assign(new Event("heard"), { lamps: changed }));
  }
}
