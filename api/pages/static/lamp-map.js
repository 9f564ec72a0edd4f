// Lamps on the map: fill is what the lamp reports, a ring says that something else is wanted, a cross a fault, hatching
// silence. Clusters count what needs attention. Changes come as whole lamps and are drawn at most once a second.
import { bounds, make, maplibre, onTheme, recolour, token } from "./map.js";

const ODD = ["deviates", "waiting"], QUIET = ["silent", "never_heard"];
const DRAW_MS = 1000;

export class LampMap {
  constructor(box, lamps, streets, onChoose) {
    this.lamps = lamps;
    this.box = box;
    this.onChoose = onChoose;
    this.chosen = new Set();
    const points = [...lamps.values()].map((lamp) => lamp.at);
    this.home = bounds(points, streets.middle);
    this.map = make(box, streets.streets, this.home, box.dataset);
    this.ready = new Promise((resolve) => this.map.on("load", () => { this.#layers(); resolve(this); }));
    this.#buttons();
    this.#pointing();
    onTheme(() => this.#recolour());
  }

  update() {
    this.waiting ??= setTimeout(() => { this.waiting = undefined; this.map.getSource("lamps")?.setData(this.#data()); }, DRAW_MS);
  }

  choose(ids) {
    this.chosen = ids;
    const filter = ["in", ["get", "id"], ["literal", [...ids]]];
    if (this.map.getLayer("chosen")) this.map.setFilter("chosen", filter);
  }

  show(ids) {
    const points = [...ids].map((id) => this.lamps.get(id)?.at).filter(Boolean);
    if (points.length) this.map.fitBounds(bounds(points, points[0]), { padding: 60, maxZoom: 18, animate: false });
  }

  #data() {
    const features = [];
    for (const lamp of this.lamps.values()) {
      const differs = lamp.level >= 0 && lamp.level !== lamp.target && !QUIET.includes(lamp.word);
      features.push({ type: "Feature", geometry: { type: "Point", coordinates: lamp.at },
        properties: { id: lamp.id, level: QUIET.includes(lamp.word) ? -1 : lamp.level, differs, word: lamp.word } });
    }
    return { type: "FeatureCollection", features };
  }

  #layers() {
    const map = this.map;
    const count = (test) => ["+", ["case", test, 1, 0]];
    map.addSource("lamps", { type: "geojson", data: this.#data(), cluster: true, clusterRadius: 44, clusterMaxZoom: 14,
      clusterProperties: { bad: count(["==", ["get", "word"], "fault"]), odd: count(["in", ["get", "word"], ["literal", ODD]]),
        quiet: count(["in", ["get", "word"], ["literal", QUIET]]) } });
    this.#images();
    const lone = ["!", ["has", "point_count"]];
    const size = (low, high) => ["interpolate", ["linear"], ["zoom"], 13, low, 18, high];
    map.addLayer({ id: "cluster", type: "circle", source: "lamps", filter: ["has", "point_count"], paint: {
      "circle-radius": ["interpolate", ["linear"], ["sqrt", ["get", "point_count"]], 1, 17, 60, 36],
      "circle-color": token("--surface"), "circle-stroke-width": 3, "circle-stroke-color": this.#clusterColour() } });
    map.addLayer({ id: "cluster-count", type: "symbol", source: "lamps", filter: ["has", "point_count"], layout: {
      "text-field": ["concat", ["to-string", ["get", "point_count"]], ["case",
        [">", ["get", "bad"], 0], ["concat", "\n✕ ", ["to-string", ["get", "bad"]]],
        [">", ["get", "odd"], 0], ["concat", "\n≠ ", ["to-string", ["get", "odd"]]],
        [">", ["get", "quiet"], 0], ["concat", "\n? ", ["to-string", ["get", "quiet"]]], ""]],
      "text-size": 12, "text-line-height": 1.05, "text-font": ["sans-serif"], "text-allow-overlap": true }, paint: { "text-color": token("--ink") } });
    map.addLayer({ id: "chosen", type: "circle", source: "lamps", filter: ["in", ["get", "id"], ["literal", [...this.chosen]]], paint: {
      "circle-radius": size(10, 22), "circle-color": token("--accent"), "circle-opacity": 0.3, "circle-stroke-width": 2, "circle-stroke-color": token("--accent") } });
    map.addLayer({ id: "glow", type: "circle", source: "lamps", filter: ["all", lone, [">", ["get", "level"], 0]], paint: {
      "circle-radius": size(9, 26), "circle-color": token("--glow"), "circle-blur": 1, "circle-opacity": ["*", 0.45, ["/", ["get", "level"], 100]] } });
    map.addLayer({ id: "ring", type: "circle", source: "lamps", filter: ["all", lone, ["get", "differs"]], paint: {
      "circle-radius": size(7.5, 14), "circle-color": "rgba(0,0,0,0)", "circle-stroke-width": 2.5, "circle-stroke-color": token("--warn") } });
    map.addLayer({ id: "lamp", type: "circle", source: "lamps", filter: lone, paint: {
      "circle-radius": size(4, 9), "circle-color": this.#fill(), "circle-stroke-width": 1, "circle-stroke-color": token("--ink") } });
    map.addLayer({ id: "sign", type: "symbol", source: "lamps", filter: ["all", lone, ["in", ["get", "word"], ["literal", ["fault", ...QUIET]]]], layout: {
      "icon-image": ["case", ["==", ["get", "word"], "fault"], "cross", "hatch"], "icon-size": size(0.5, 1), "icon-allow-overlap": true } });
  }

  #fill() {
    return ["case", ["<", ["get", "level"], 0], token("--tint-unknown"),
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
    map.setPaintProperty("cluster", "circle-color", token("--surface"));
    map.setPaintProperty("cluster", "circle-stroke-color", this.#clusterColour());
    map.setPaintProperty("cluster-count", "text-color", token("--ink"));
    map.setPaintProperty("chosen", "circle-color", token("--accent"));
    map.setPaintProperty("chosen", "circle-stroke-color", token("--accent"));
    map.setPaintProperty("glow", "circle-color", token("--glow"));
    map.setPaintProperty("ring", "circle-stroke-color", token("--warn"));
    map.setPaintProperty("lamp", "circle-color", this.#fill());
    map.setPaintProperty("lamp", "circle-stroke-color", token("--ink"));
  }

  #buttons() {
    const texts = this.box.dataset;
    const group = document.createElement("div");
    group.className = "maplibregl-ctrl maplibregl-ctrl-group pan";
    const add = (text, sign, act) => {
      const button = Object.assign(document.createElement("button"), { type: "button", title: text, textContent: sign });
      button.setAttribute("aria-label", text);
      button.addEventListener("click", () => act(button));
      group.append(button);
      return button;
    };
    add(texts.left, "←", () => this.map.panBy([-120, 0]));
    add(texts.right, "→", () => this.map.panBy([120, 0]));
    add(texts.up, "↑", () => this.map.panBy([0, -120]));
    add(texts.down, "↓", () => this.map.panBy([0, 120]));
    add(texts.reset, "⌂", () => this.map.fitBounds(this.home, { padding: 40, maxZoom: 17 }));
    const boxes = add(texts.box, "⬚", (button) => {
      this.boxing = !this.boxing;
      button.setAttribute("aria-pressed", String(this.boxing));
      this.boxing ? this.map.dragPan.disable() : this.map.dragPan.enable();
    });
    boxes.setAttribute("aria-pressed", "false");
    this.map.addControl({ onAdd: () => group, onRemove: () => group.remove() }, "top-right");
  }

  #pointing() {
    const map = this.map;
    map.on("click", (event) => {
      const around = [[event.point.x - 8, event.point.y - 8], [event.point.x + 8, event.point.y + 8]];
      const hits = map.queryRenderedFeatures(around, { layers: ["lamp", "cluster"] });
      if (!hits.length) return;
      const hit = hits[0];
      if (hit.properties.cluster_id !== undefined)
        map.getSource("lamps").getClusterExpansionZoom(hit.properties.cluster_id).then((zoom) => map.easeTo({ center: hit.geometry.coordinates, zoom: zoom + 0.2 }));
      else this.onChoose([hit.properties.id], "toggle");
    });
    for (const layer of ["lamp", "cluster"]) {
      map.on("mouseenter", layer, () => { map.getCanvas().style.cursor = "pointer"; });
      map.on("mouseleave", layer, () => { map.getCanvas().style.cursor = ""; });
    }
    const canvas = map.getCanvasContainer();
    canvas.addEventListener("pointerdown", (event) => { if (event.button === 0 && (event.shiftKey || this.boxing)) this.#drag(canvas, event); }, true);
  }

  #drag(canvas, start) {
    start.preventDefault();
    start.stopPropagation();
    this.map.dragPan.disable();
    const frame = canvas.getBoundingClientRect();
    const place = (event) => [event.clientX - frame.left, event.clientY - frame.top];
    const from = place(start);
    const shown = document.createElement("div");
    shown.className = "pick-box";
    canvas.append(shown);
    const move = (event) => {
      const to = place(event);
      const [x, y] = [Math.min(from[0], to[0]), Math.min(from[1], to[1])];
      Object.assign(shown.style, { transform: `translate(${x}px, ${y}px)`, width: `${Math.abs(to[0] - from[0])}px`, height: `${Math.abs(to[1] - from[1])}px` });
    };
    const end = (event) => {
      removeEventListener("pointermove", move);
      shown.remove();
      if (!this.boxing) this.map.dragPan.enable();
      const [a, b] = [this.map.unproject(from), this.map.unproject(place(event))];
      const [west, east, south, north] = [Math.min(a.lng, b.lng), Math.max(a.lng, b.lng), Math.min(a.lat, b.lat), Math.max(a.lat, b.lat)];
      const inside = [...this.lamps.values()].filter(({ at: [x, y] }) => x >= west && x <= east && y >= south && y <= north);
      this.onChoose(inside.map((lamp) => lamp.id), "add");
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end, { once: true });
  }
}

export { maplibre };
