// The residents' map: zones with their words, over the town's streets. The list above says the same.
export async function draw(more) {
  const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: more.dataset.css });
  document.head.append(sheet);
  const [{ make, bounds, token, recolour, onTheme }, data] = await Promise.all([
    import("./map.js"), fetch(more.dataset.feed).then((answer) => answer.json())]);
  const box = document.getElementById("map");
  const points = data.zones.features.map((zone) => zone.geometry.coordinates);
  const map = make(box, data.streets, bounds(points, data.middle), box.dataset);
  const colours = () => ["match", ["get", "word"], "many", token("--ok"), "few", token("--warn"), "full", token("--bad"), token("--unknown")];
  map.on("load", () => {
    map.fitBounds(bounds(points, data.middle), { padding: { top: 48, bottom: 56, left: 72, right: 72 }, maxZoom: 17, animate: false });
    map.addSource("zones", { type: "geojson", data: data.zones });
    map.addLayer({ id: "zones", type: "circle", source: "zones", paint: { "circle-radius": 9, "circle-color": colours(), "circle-stroke-color": token("--surface"), "circle-stroke-width": 2 } });
    map.addLayer({ id: "names", type: "symbol", source: "zones", layout: { "text-field": ["concat", ["get", "name"], "\n", ["get", "text"]], "text-size": 14, "text-variable-anchor": ["top", "bottom", "left", "right"], "text-radial-offset": 1, "text-font": ["sans-serif"] }, paint: { "text-color": token("--ink"), "text-halo-color": token("--surface"), "text-halo-width": 2 } });
  });
  onTheme(() => {
    recolour(map);
    map.setPaintProperty("zones", "circle-color", colours());
    map.setPaintProperty("zones", "circle-stroke-color", token("--surface"));
    map.setPaintProperty("names", "text-color", token("--ink"));
    map.setPaintProperty("names", "text-halo-color", token("--surface"));
  });
}
