// Drawing an area onto the map of its form. The text field holds it as GeoJSON, and says the same without a map or a pointer:
// click the corners; by keys the arrows move the map under the cross, Space sets a corner, Backspace takes the last one back.
const box = document.getElementById("draw");
const field = document.getElementById("area");
if (box && field && !field.closest("fieldset[disabled]")) start();

async function start() {
  const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: box.dataset.css });
  document.head.append(sheet);
  const [{ make, bounds, token, recolour, onTheme }, data] = await Promise.all([
    import("./map.js"), fetch(box.dataset.feed).then((answer) => answer.json())]);
  box.hidden = false;
  document.getElementById("draw-hint").textContent = box.dataset.hint;
  const said = document.getElementById("draw-said");
  let corners = read();
  const streets = data.streets.features.flatMap((street) => street.geometry.coordinates);
  const map = make(document.getElementById("map"), data.streets, bounds(corners.length ? corners : streets, data.middle), { in: box.dataset.zoomIn, out: box.dataset.zoomOut });
  const canvas = map.getCanvas();
  canvas.setAttribute("aria-label", `${box.dataset.label}. ${box.dataset.hint}`);
  canvas.style.cursor = "crosshair";
  const cross = Object.assign(document.createElement("div"), { className: "cross", hidden: true });
  map.getContainer().append(cross);
  canvas.addEventListener("focus", () => { cross.hidden = !canvas.matches(":focus-visible"); });
  canvas.addEventListener("blur", () => { cross.hidden = true; });

  function read() {
    try {
      const shape = JSON.parse(field.value || "null");
      const ring = (shape?.geometry ?? shape)?.coordinates?.[0] ?? [];
      return ring.length > 3 ? ring.slice(0, -1) : [];
    } catch { return []; }
  }

  function shape() {
    const point = corners.map((at) => ({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: at } }));
    const line = corners.length < 2 ? [] : [{ type: "Feature", properties: {}, geometry: corners.length > 2
      ? { type: "Polygon", coordinates: [[...corners, corners[0]]] } : { type: "LineString", coordinates: corners } }];
    return { type: "FeatureCollection", features: [...line, ...point] };
  }

  function draw() {
    map.getSource("area")?.setData(shape());
    said.textContent = `${said.dataset.corners} ${corners.length}`;
  }

  function change(next) {
    corners = next;
    field.value = corners.length > 2 ? JSON.stringify({ type: "Polygon", coordinates: [[...corners, corners[0]]] }) : "";
    draw();
  }

  const add = (at) => change([...corners, [Number(at.lng.toFixed(6)), Number(at.lat.toFixed(6))]]);
  map.doubleClickZoom.disable();
  map.on("load", () => {
    map.addSource("area", { type: "geojson", data: shape() });
    map.addLayer({ id: "area", type: "fill", source: "area", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": token("--accent"), "fill-opacity": 0.2 } });
    map.addLayer({ id: "area-edge", type: "line", source: "area", paint: { "line-color": token("--accent"), "line-width": 2 } });
    map.addLayer({ id: "area-corner", type: "circle", source: "area", filter: ["==", ["geometry-type"], "Point"], paint: { "circle-radius": 5, "circle-color": token("--surface"), "circle-stroke-color": token("--accent"), "circle-stroke-width": 2 } });
    draw();
  });
  map.on("click", (event) => add(event.lngLat));
  canvas.addEventListener("keydown", (event) => {
    if (event.key === " ") add(map.getCenter());
    else if (event.key === "Backspace") change(corners.slice(0, -1));
    else return;
    event.preventDefault();
  });
  document.getElementById("draw-undo").addEventListener("click", () => change(corners.slice(0, -1)));
  document.getElementById("draw-clear").addEventListener("click", () => change([]));
  field.addEventListener("input", () => { corners = read(); draw(); });
  onTheme(() => {
    recolour(map);
    for (const [layer, paint] of [["area", "fill-color"], ["area-edge", "line-color"], ["area-corner", "circle-stroke-color"]]) map.setPaintProperty(layer, paint, token("--accent"));
    map.setPaintProperty("area-corner", "circle-color", token("--surface"));
  });
}
