// The map: things by position while they are few, cells of them where they are many. The list holds the same things.
import { api, at, how, n, s, symbol, t } from "./base.js";

const METRES = 111_320;
const svg = document.getElementById("map");
const layer = Object.fromEntries(["streets", "cells", "things", "towers", "choice"].map((name) => [name, document.getElementById(name)]));
const says = document.getElementById("map-says");

export class TownMap {
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.things = new Map();
    this.selected = "";
    this.cursor = "";
    this.ticket = 0;
    new ResizeObserver(() => this.draw()).observe(svg);
    svg.addEventListener("keydown", (event) => this.key(event));
    svg.addEventListener("wheel", (event) => { if (event.ctrlKey || event.metaKey || document.activeElement === svg) { event.preventDefault(); this.zoom(event.deltaY < 0 ? 1.25 : 0.8); } }, { passive: false });
    this.drag();
    for (const button of document.querySelectorAll("[data-move]")) button.addEventListener("click", () => this.move(button.dataset.move));
  }

  async open(town) {
    this.town = town;
    this.things.clear();
    for (const one of Object.values(layer)) one.replaceChildren();
    const [map, streets] = await Promise.all([api(`${at("towns", town)}/map`), api(`${at("towns", town)}/streets`)]);
    this.full = map;
    this.streets = streets;
    this.fit();
    this.take(map);
  }

  /** What the server says of the box that is seen. */
  take(map) {
    this.many = map.cells.length > 0;
    this.things = new Map(map.things.map((one) => [one.id, one]));
    this.cells = map.cells;
    says.textContent = this.many ? t("{count} devices: zoom in to see each of them.", { count: n(map.total) }) : "";
    this.build();
  }

  fit() {
    const { south, north, west, east } = this.full;
    this.lat = (south + north) / 2;
    this.lon = (west + east) / 2;
    this.cos = Math.cos((this.lat * Math.PI) / 180);
    const { width, height } = svg.getBoundingClientRect();
    this.scale = Math.min((width || 600) / ((east - west) * this.cos * METRES), (height || 400) / ((north - south) * METRES));
    this.least = this.scale / 1.5;
  }

  x(lon) { return this.width / 2 + (lon - this.lon) * this.cos * METRES * this.scale; }
  y(lat) { return this.height / 2 - (lat - this.lat) * METRES * this.scale; }
  place(one) { return `translate(${this.x(one.longitude).toFixed(1)} ${this.y(one.latitude).toFixed(1)}) scale(${this.size})`; }

  build() {
    layer.things.replaceChildren(...[...this.things.values()].map((one) => this.element(one)));
    layer.cells.replaceChildren(...this.cells.map((one) => {
      const radius = Math.min(10 + Math.sqrt(one.lamps + one.bays) / 1.5, 22);
      const drawn = s("g", { class: one.marked > (one.lamps + one.bays) / 10 ? "cell cell--bad" : "cell" }, s("circle", { r: radius }), s("text", {}, n(one.lamps + one.bays)));
      drawn.append(s("title", {}, t("{burning} of {lamps} lamps burn, {taken} of {bays} bays taken, {marked} with something wrong", { ...one })));
      drawn.addEventListener("click", () => { this.lat = one.latitude; this.lon = one.longitude; this.zoom(3); });
      one.drawn = drawn;
      return drawn;
    }));
    this.draw();
  }

  element(one) {
    const drawn = s("g", { "data-id": one.id });
    drawn.addEventListener("click", () => this.onChoose(one.id));
    one.drawn = drawn;
    this.dress(one);
    return drawn;
  }

  dress(one) {
    one.drawn.replaceChildren(s("title", {}, `${one.id}: ${how(one)}`), symbol(one.does), ...(one.mark ? [symbol(one.mark)] : []));
  }

  towers(gateways) {
    this.gateways = gateways;
    layer.towers.replaceChildren(...gateways.map((one) => {
      const drawn = s("g", {}, s("title", {}, one.name), symbol(one.down ? "gateway-down" : "gateway"));
      drawn.addEventListener("click", () => document.querySelector("[data-part=gateways]").setAttribute("open", ""));
      one.drawn = drawn;
      return drawn;
    }));
    this.draw();
  }

  draw() {
    if (!this.full) return;
    const { width, height } = svg.getBoundingClientRect();
    if (!width) return;
    this.width = width;
    this.height = height;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.size = Math.min(Math.max(this.scale * 2.4, 0.4), 1.6).toFixed(2);
    const line = (points) => points.map(([lon, lat], i) => `${i ? "L" : "M"}${this.x(lon).toFixed(1)} ${this.y(lat).toFixed(1)}`).join("");
    layer.streets.replaceChildren(s("path", { d: this.streets.map((one) => line(one.points)).join("") }));
    for (const one of this.things.values()) one.drawn.setAttribute("transform", this.place(one));
    for (const one of this.cells) one.drawn.setAttribute("transform", `translate(${this.x(one.longitude).toFixed(1)} ${this.y(one.latitude).toFixed(1)})`);
    for (const one of this.gateways ?? []) one.drawn.setAttribute("transform", `translate(${this.x(one.longitude).toFixed(1)} ${this.y(one.latitude).toFixed(1)})`);
    this.ring();
  }

  ring() {
    const one = this.things.get(this.cursor || this.selected);
    layer.choice.replaceChildren(...(one ? [s("circle", { r: 12, class: "mine", transform: this.place(one) })] : []));
  }

  changed(items) {
    for (const item of items) {
      const one = this.things.get(item.id);
      if (one) { Object.assign(one, item); this.dress(one); }
    }
    if (this.many && items.length) this.later(6000);
  }

  choose(id) {
    this.selected = id;
    this.cursor = "";
    this.ring();
  }

  zoom(by) {
    this.scale = Math.min(Math.max(this.scale * by, this.least), 20);
    this.draw();
    this.later();
  }

  move(where) {
    const step = 0.25;
    if (where === "all") this.fit();
    else if (where === "in" || where === "out") { this.zoom(where === "in" ? 1.6 : 1 / 1.6); return; }
    else {
      const east = { east: 1, west: -1 }[where] ?? 0, north = { north: 1, south: -1 }[where] ?? 0;
      this.shift(-east * step * this.width, north * step * this.height);
    }
    this.draw();
    this.later();
  }

  shift(right, down) {
    this.lon -= right / (this.cos * METRES * this.scale);
    this.lat += down / (METRES * this.scale);
  }

  /** Where single things do not fit into the whole, the box that is seen is asked for anew. */
  later(wait = 250) {
    if (this.full.cells.length === 0 || this.waiting) return;
    this.waiting = setTimeout(() => { this.waiting = 0; this.again(); }, wait);
  }

  async again() {
    const up = this.height / 2 / (METRES * this.scale), right = this.width / 2 / (this.cos * METRES * this.scale);
    const box = new URLSearchParams({ south: this.lat - up, north: this.lat + up, west: this.lon - right, east: this.lon + right });
    const ticket = ++this.ticket;
    const map = await api(`${at("towns", this.town)}/map${this.full.cells.length ? `?${box}` : ""}`).catch(() => null);
    if (map && ticket === this.ticket) this.take(map);
  }

  drag() {
    let from = null;
    svg.addEventListener("pointerdown", (event) => { from = [event.clientX, event.clientY]; });
    svg.addEventListener("pointermove", (event) => {
      if (!from || event.buttons === 0) { from = null; return; }
      const [x, y] = [event.clientX - from[0], event.clientY - from[1]];
      if (Math.abs(x) + Math.abs(y) < 4) return;
      if (!svg.hasPointerCapture(event.pointerId)) svg.setPointerCapture(event.pointerId);
      this.shift(x, y);
      from = [event.clientX, event.clientY];
      this.draw();
      this.later();
    });
    svg.addEventListener("pointerup", () => { from = null; });
  }

  key(event) {
    const ways = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === "+" || event.key === "-") this.zoom(event.key === "+" ? 1.6 : 1 / 1.6);
    else if (event.key === "Enter" && this.cursor) this.onChoose(this.cursor);
    else if (ways[event.key]) this.step(...ways[event.key]);
    else return;
    event.preventDefault();
  }

  /** The nearest thing in that direction. */
  step(right, down) {
    const here = this.things.get(this.cursor || this.selected);
    const from = here ? [this.x(here.longitude), this.y(here.latitude)] : [this.width / 2, this.height / 2];
    let best = null, least = Infinity;
    for (const one of this.things.values()) {
      const [x, y] = [this.x(one.longitude) - from[0], this.y(one.latitude) - from[1]];
      const ahead = x * right + y * down, aside = Math.abs(x * down) + Math.abs(y * right);
      const far = here ? ahead + 2 * aside : Math.hypot(x, y);
      if (one !== here && (!here || ahead > 0.5) && far < least) [best, least] = [one, far];
    }
    if (!best) return;
    this.cursor = best.id;
    says.textContent = `${best.id}: ${how(best)}`;
    const [x, y] = [this.x(best.longitude), this.y(best.latitude)];
    if (x < 10 || y < 10 || x > this.width - 10 || y > this.height - 10) { this.lat = best.latitude; this.lon = best.longitude; this.draw(); }
    this.ring();
  }
}
