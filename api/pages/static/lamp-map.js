// Lamps on the map: a ring says that something else is wanted, a cross a fault, hatching silence; the fill is what one looks
// at: level, state, fault or power. Clusters count by state. It shows the lamps that are found; changes go to the map as
// differences, at most once a second.
import { areas } from "./areas.js";
import { bounds, make, maplibre, onTheme, recolour, token } from "./map.js";
import { ODD, QUIET } from "./lamp-store.js";

const DRAW_MS = 1000, MANY = 4000;
export const COLOURS = ["level", "state", "fault", "energy"];

export class LampMap {
  constructor(box, store, streets, colour) {
    this.store = store;
    this.box = box;
    this.colour = colour;
    this.changed = new Map();
    this.home = bounds(store.all.map((lamp) => lamp.at), streets.middle);
    this.map = make(box, streets.streets, this.home, box.dataset);
    this.ready = new Promise((resolve) => this.map.on("load", () => { this.#layers(); resolve(this); }));
    this.#buttons();
    this.#pointing();
    onTheme(() => this.#recolour());
    store.addEventListener("heard", (event) => { for (const lamp of event.lamps) this.changed.set(lamp.n, lamp); this.#soon(); });
    store.addEventListener("found", () => { this.whole = true; this.#soon(); });
    store.addEventListener("chosen", () => this.#mark());
  }

  show(lamps) {
    if (lamps.length) this.map.fitBounds(bounds(lamps.map((lamp) => lamp.at), lamps[0].at), { padding: 60, maxZoom: 18, animate: false });
  }

  paint(colour) {
    this.colour = colour;
    if (!this.map.getLayer("lamp")) return;
    this.map.setPaintProperty("lamp", "circle-color", this.#fill());
    this.map.setLayoutProperty("glow", "visibility", colour === "level" ? "visible" : "none");
  }

  #soon() {
    this.waiting ??= setTimeout(() => { this.waiting = undefined; this.#update(); }, this.whole ? 60 : DRAW_MS);
  }

  #update() {
    const source = this.map.getSource("lamps");
    if (!source) return;
    if (this.whole || this.changed.size > MANY) source.setData(this.#data());
    else {
      const shown = new Set(this.store.found);
      const update = [...this.changed.values()].filter((lamp) => shown.has(lamp)).map((lamp) => ({
        id: lamp.n, addOrUpdateProperties: Object.entries(properties(lamp)).map(([key, value]) => ({ key, value })) }));
      if (update.length) source.updateData({ update });
    }
    this.whole = false;
    this.changed.clear();
  }

  #data() {
    return collection(this.store.found, (lamp) => ({ type: "Feature", id: lamp.n, geometry: { type: "Point", coordinates: lamp.at }, properties: properties(lamp) }));
  }

  #mark() {
    const lamps = [...this.store.chosen].map((id) => this.store.byId.get(id)).filter(Boolean);
    this.map.getSource("chosen")?.setData(collection(lamps, (lamp) => ({ type: "Feature", geometry: { type: "Point", coordinates: lamp.at }, properties: {} })));
  }

  #layers() {
    const map = this.map;
    const count = (test) => ["+", ["case", test, 1, 0]];
    const word = ["get", "word"], lone = ["!", ["has", "point_count"]];
    map.addSource("chosen", { type: "geojson", data: collection([], () => null) });
    map.addSource("lamps", { type: "geojson", data: this.#data(), cluster: true, clusterRadius: 44, clusterMaxZoom: 14,
      clusterProperties: { bad: count(["==", word, "fault"]), odd: count(["in", word, ["literal", ODD]]), quiet: count(["in", word, ["literal", QUIET]]) } });
    this.#images();
    const size = (low, high) => ["interpolate", ["linear"], ["zoom"], 13, low, 18, high];
    map.addLayer({ id: "chosen", type: "circle", source: "chosen", paint: {
      "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 3, 13, 10, 18, 22], "circle-color": token("--accent"), "circle-opacity": 0.3,
      "circle-stroke-width": ["interpolate", ["linear"], ["zoom"], 11, 0, 14, 2], "circle-stroke-color": token("--accent") } });
    map.addLayer({ id: "cluster", type: "circle", source: "lamps", filter: ["has", "point_count"], paint: {
      "circle-radius": ["interpolate", ["linear"], ["sqrt", ["get", "point_count"]], 1, 18, 60, 38],
      "circle-color": token("--surface"), "circle-stroke-width": 3, "circle-stroke-color": this.#clusterColour() } });
    const part = (sign, name) => ["case", [">", ["get", name], 0], ["concat", `\n${sign} `, ["to-string", ["get", name]]], ""];
    map.addLayer({ id: "cluster-count", type: "symbol", source: "lamps", filter: ["has", "point_count"], layout: {
      "text-field": ["concat", ["to-string", ["get", "point_count"]], part("✕", "bad"), part("≠", "odd"), part("?", "quiet")],
      "text-size": 12, "text-line-height": 1.05, "text-font": ["sans-serif"], "text-allow-overlap": true }, paint: { "text-color": token("--ink") } });
    map.addLayer({ id: "glow", type: "circle", source: "lamps", filter: ["all", lone, [">", ["get", "level"], 0]], layout: { visibility: this.colour === "level" ? "visible" : "none" }, paint: {
      "circle-radius": size(9, 26), "circle-color": token("--glow"), "circle-blur": 1, "circle-opacity": ["*", 0.45, ["/", ["get", "level"], 100]] } });
    map.addLayer({ id: "ring", type: "circle", source: "lamps", filter: ["all", lone, ["get", "differs"]], paint: {
      "circle-radius": size(7.5, 14), "circle-color": "rgba(0,0,0,0)", "circle-stroke-width": 2.5, "circle-stroke-color": token("--warn") } });
    map.addLayer({ id: "lamp", type: "circle", source: "lamps", filter: lone, paint: {
      "circle-radius": size(4, 9), "circle-color": this.#fill(), "circle-stroke-width": 1, "circle-stroke-color": token("--ink") } });
    map.addLayer({ id: "sign", type: "symbol", source: "lamps", filter: ["all", lone, ["in", word, ["literal", ["fault", ...QUIET]]]], layout: {
      "icon-image": ["case", ["==", word, "fault"], "cross", "hatch"], "icon-size": size(0.5, 1), "icon-allow-overlap": true } });
    this.areas = areas(this, (ids) => this.store.choose(ids));
    this.#mark();
  }

  #fill() {
    const word = ["get", "word"], unknown = token("--tint-unknown");
    switch (this.colour) {
      case "state": return ["match", word, "ok", token("--ok"), ODD, token("--warn"), "fault", token("--bad"), unknown];
      case "fault": return ["case", [">", ["get", "faults"], 0], token("--bad"), token("--street-edge")];
      case "energy": return ["case", ["<", ["get", "share"], 0], unknown,
        ["interpolate", ["linear"], ["get", "share"], 0, token("--dark-lamp"), 0.05, "#2b6cb0", 0.5, "#8f7fb8", 1, "#d1495b", 1.3, "#7a0019"]];
    }
    return ["case", ["<", ["get", "level"], 0], unknown,
      ["interpolate", ["linear"], ["get", "level"], 0, token("--dark-lamp"), 1, "#8a6d1f", 100, token("--glow")]];
  }

  #clusterColour() {
    return ["case", [">", ["get", "bad"], 0], token("--bad"), [">", ["get", "odd"], 0], token("--warn"), [">", ["get", "quiet"], 0], token("--unknown"), token("--ok")];
  }

  #images() {
    const draw = (name, colour, lines) => {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = 44;
      const pen = canvas.getContext("2d");
      const stroke = (style, width) => {
        pen.strokeStyle = style;
        pen.lineWidth = width;
        pen.beginPath();
        for (const [x1, y1, x2, y2] of lines) { pen.moveTo(x1, y1); pen.lineTo(x2, y2); }
        pen.stroke();
      };
      pen.lineCap = "round";
      if (name === "cross") stroke(token("--surface"), 9);
      stroke(colour, name === "cross" ? 5 : 3);
      if (this.map.hasImage(name)) this.map.removeImage(name);
      this.map.addImage(name, pen.getImageData(0, 0, 44, 44), { pixelRatio: 2 });
    };
    draw("cross", token("--bad"), [[9, 9, 35, 35], [35, 9, 9, 35]]);
    draw("hatch", token("--unknown"), [[10, 22, 22, 10], [11, 31, 31, 11], [18, 36, 36, 18]]);
  }

  #recolour() {
    const map = this.map;
    if (!map.getLayer("lamp")) return;
    recolour(map);
    this.#images();
    const paints = { cluster: { "circle-color": token("--surface"), "circle-stroke-color": this.#clusterColour() }, "cluster-count": { "text-color": token("--ink") },
      chosen: { "circle-color": token("--accent"), "circle-stroke-color": token("--accent") }, glow: { "circle-color": token("--glow") },
      ring: { "circle-stroke-color": token("--warn") }, lamp: { "circle-color": this.#fill(), "circle-stroke-color": token("--ink") } };
    for (const [layer, changes] of Object.entries(paints)) for (const [name, value] of Object.entries(changes)) map.setPaintProperty(layer, name, value);
  }

  #buttons() {
    const texts = this.box.dataset;
    const group = () => Object.assign(document.createElement("div"), { className: "maplibregl-ctrl maplibregl-ctrl-group pan" });
    const add = (to, text, sign, act) => {
      const button = Object.assign(document.createElement("button"), { type: "button", title: text, textContent: sign });
      button.setAttribute("aria-label", text);
      button.addEventListener("click", () => act(button));
      to.append(button);
      return button;
    };
    const place = (element, corner) => this.map.addControl({ onAdd: () => element, onRemove: () => element.remove() }, corner);
    const move = group(), choose = group();
    add(move, texts.left, "←", () => this.map.panBy([-120, 0]));
    add(move, texts.right, "→", () => this.map.panBy([120, 0]));
    add(move, texts.up, "↑", () => this.map.panBy([0, -120]));
    add(move, texts.down, "↓", () => this.map.panBy([0, 120]));
    add(move, texts.reset, "⌂", () => this.map.fitBounds(this.home, { padding: 40, maxZoom: 17 }));
    this.boxButton = add(choose, texts.box, "⬚", () => this.areas?.box());
    this.polygonButton = add(choose, texts.polygon, "⬠", () => this.areas?.polygon());
    add(choose, texts.view, "▣", () => this.areas?.view());
    for (const button of [this.boxButton, this.polygonButton]) button.setAttribute("aria-pressed", "false");
    place(move, "top-right");
    place(choose, "top-left");
  }

  #pointing() {
    const map = this.map;
    map.on("click", (event) => {
      if (this.areas?.drawing) return;
      const around = [[event.point.x - 8, event.point.y - 8], [event.point.x + 8, event.point.y + 8]];
      const hit = map.queryRenderedFeatures(around, { layers: ["lamp", "cluster"] })[0];
      if (!hit) return;
      if (hit.properties.cluster_id !== undefined)
        map.getSource("lamps").getClusterExpansionZoom(hit.properties.cluster_id).then((zoom) => map.easeTo({ center: hit.geometry.coordinates, zoom: zoom + 0.2 }));
      else this.store.choose([this.store.all[hit.properties.n].id], "toggle");
    });
    for (const layer of ["lamp", "cluster"]) {
      map.on("mouseenter", layer, () => { if (!this.areas?.drawing) map.getCanvas().style.cursor = "pointer"; });
      map.on("mouseleave", layer, () => { if (!this.areas?.drawing) map.getCanvas().style.cursor = ""; });
    }
  }
}

function properties(lamp) {
  const quiet = QUIET.includes(lamp.word);
  return { n: lamp.n, level: quiet ? -1 : lamp.level, differs: lamp.level >= 0 && lamp.level !== lamp.target && !quiet, word: lamp.word,
    faults: lamp.faults.length, share: quiet || lamp.power < 0 || !(lamp.nominal > 0) ? -1 : lamp.power / lamp.nominal };
}

function collection(lamps, feature) {
  return { type: "FeatureCollection", features: lamps.map(feature) };
}

export { maplibre };
