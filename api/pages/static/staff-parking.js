// Parking for its staff: the same page renewed part by part, and its bays on the map. The list does without.
const root = document.getElementById("staff-parking");
const box = document.getElementById("map");

// Renew what changes, but never under the reader's hands: what has the focus, or is chosen, stays.
async function renew() {
  const answer = await fetch(location.href, { credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (next && !part.contains(document.activeElement) && part.innerHTML !== next.innerHTML) part.innerHTML = next.innerHTML;
  }
}

async function draw() {
  const [{ make, bounds, token, recolour, onTheme }, data] = await Promise.all([import("./map.js"), load()]);
  const points = data.bays.features.map((bay) => bay.geometry.coordinates);
  const map = make(box, data.streets, bounds(points, data.middle), box.dataset);
  const said = document.getElementById("map-said");
  const colours = () => ["match", ["get", "state"], "free", token("--ok"), "occupied", token("--ink"), "blocked", token("--warn"), "out_of_service", token("--bad"), token("--unknown")];
  const paint = () => ({ "circle-radius": ["interpolate", ["linear"], ["zoom"], 13, 4, 17, 9], "circle-opacity": ["case", ["get", "sure"], 1, 0.55],
    "circle-color": ["case", ["==", ["get", "state"], "occupied"], token("--ink"), token("--surface")], "circle-stroke-color": colours(), "circle-stroke-width": 2.5 });
  map.on("load", () => {
    map.addSource("bays", { type: "geojson", data: data.bays });
    map.addLayer({ id: "bays", type: "circle", source: "bays", paint: paint() });
    map.addLayer({ id: "marks", type: "symbol", source: "bays", minzoom: 15, layout: { "text-field": ["match", ["get", "state"], "unknown", "?", "blocked", "/", "out_of_service", "×", ""], "text-size": 12, "text-font": ["sans-serif"], "text-allow-overlap": true }, paint: { "text-color": token("--ink") } });
    map.addLayer({ id: "names", type: "symbol", source: "bays", minzoom: 17.5, layout: { "text-field": ["get", "name"], "text-size": 12, "text-offset": [0, 1.3], "text-font": ["sans-serif"] }, paint: { "text-color": token("--ink"), "text-halo-color": token("--surface"), "text-halo-width": 1.5 } });
  });
  map.on("mousemove", "bays", (event) => {
    const bay = event.features[0].properties;
    map.getCanvas().style.cursor = "pointer";
    said.textContent = [`${bay.name}: ${bay.word}`, bay.why].filter(Boolean).join(" · ");
  });
  map.on("mouseleave", "bays", () => { map.getCanvas().style.cursor = ""; });
  map.on("click", "bays", (event) => { location.href = event.features[0].properties.href; });
  onTheme(() => {
    recolour(map);
    for (const [name, value] of Object.entries(paint())) map.setPaintProperty("bays", name, value);
    for (const layer of ["marks", "names"]) map.setPaintProperty(layer, "text-color", token("--ink"));
    map.setPaintProperty("names", "text-halo-color", token("--surface"));
  });
  return async () => { map.getSource("bays")?.setData((await load()).bays); };
}

async function load() {
  const answer = await fetch(box.dataset.feed, { credentials: "same-origin" });
  if (!answer.ok) throw new Error(`the map's bays: ${answer.status}`);
  return answer.json();
}

if (root && box) {
  let again = () => Promise.resolve();
  if (box.dataset.map) draw().then((renewed) => { again = renewed; box.dataset.drawn = "yes"; });
  setInterval(() => { if (!document.hidden) Promise.allSettled([renew(), again()]); }, 1000 * Number(root.dataset.every));
}
