// Choosing lamps by area: a box or a polygon drawn on the map, or all that is in view. Without a pointer: the view button, or
// the polygon with the arrow keys moving the map under the cross, Space setting a corner, Enter closing, Escape giving up.
export function areas(shown, choose) {
  const { map, store, boxButton, polygonButton } = shown;
  const canvas = map.getCanvasContainer();
  const state = { mode: "", corners: [] };
  const hint = Object.assign(document.createElement("p"), { className: "area-hint", hidden: true });
  hint.setAttribute("role", "status");
  const cross = Object.assign(document.createElement("div"), { className: "area-cross", hidden: true });
  map.getContainer().append(hint, cross);
  map.addSource("area", { type: "geojson", data: { type: "FeatureCollection", features: [] } });
  map.addLayer({ id: "area", type: "fill", source: "area", paint: { "fill-color": getComputedStyle(document.documentElement).getPropertyValue("--accent").trim(), "fill-opacity": 0.2 } });
  map.addLayer({ id: "area-edge", type: "line", source: "area", paint: { "line-color": getComputedStyle(document.documentElement).getPropertyValue("--accent").trim(), "line-width": 2 } });

  const inside = (test) => choose(store.found.filter((lamp) => test(lamp.at)).map((lamp) => lamp.id));

  function mode(next) {
    state.mode = state.mode === next ? "" : next;
    state.corners = [];
    draw();
    boxButton.setAttribute("aria-pressed", String(state.mode === "box"));
    polygonButton.setAttribute("aria-pressed", String(state.mode === "polygon"));
    const drawing = state.mode !== "";
    drawing ? map.dragPan.disable() : map.dragPan.enable();
    drawing ? map.doubleClickZoom.disable() : map.doubleClickZoom.enable();
    map.getCanvas().style.cursor = drawing ? "crosshair" : "";
    hint.hidden = cross.hidden = state.mode !== "polygon";
    hint.textContent = state.mode === "polygon" ? shown.box.dataset.polygonHint : "";
    if (state.mode === "polygon") map.getCanvas().focus();
  }

  function draw(to) {
    const corners = to ? [...state.corners, to] : state.corners;
    const features = corners.length < 2 ? [] : [{ type: "Feature", properties: {}, geometry: corners.length > 2
      ? { type: "Polygon", coordinates: [[...corners, corners[0]]] } : { type: "LineString", coordinates: corners } }];
    map.getSource("area").setData({ type: "FeatureCollection", features });
  }

  function close() {
    const { corners } = state;
    mode("");
    if (corners.length > 2) inside((at) => within(at, corners));
  }

  map.on("click", (event) => { if (state.mode === "polygon") { state.corners.push(event.lngLat.toArray()); draw(); } });
  map.on("mousemove", (event) => { if (state.mode === "polygon" && state.corners.length) draw(event.lngLat.toArray()); });
  map.on("dblclick", (event) => { if (state.mode === "polygon") { event.preventDefault(); close(); } });
  map.getCanvas().addEventListener("keydown", (event) => {
    if (state.mode !== "polygon") { if (state.mode && event.key === "Escape") mode(""); return; }
    if (event.key === " ") { state.corners.push(map.getCenter().toArray()); draw(); }
    else if (event.key === "Enter") close();
    else if (event.key === "Escape") mode("");
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  map.on("move", () => { if (state.mode === "polygon" && state.corners.length) draw(map.getCenter().toArray()); });

  canvas.addEventListener("pointerdown", (event) => { if (event.button === 0 && (event.shiftKey || state.mode === "box") && state.mode !== "polygon") drag(event); }, true);

  function drag(start) {
    start.preventDefault();
    start.stopPropagation();
    map.dragPan.disable();
    const frame = canvas.getBoundingClientRect();
    const place = (event) => [event.clientX - frame.left, event.clientY - frame.top];
    const from = place(start);
    const box = Object.assign(document.createElement("div"), { className: "pick-box" });
    canvas.append(box);
    const move = (event) => {
      const to = place(event);
      Object.assign(box.style, { transform: `translate(${Math.min(from[0], to[0])}px, ${Math.min(from[1], to[1])}px)`,
        width: `${Math.abs(to[0] - from[0])}px`, height: `${Math.abs(to[1] - from[1])}px` });
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", (event) => {
      removeEventListener("pointermove", move);
      box.remove();
      if (state.mode !== "box") map.dragPan.enable();
      const [a, b] = [map.unproject(from), map.unproject(place(event))];
      inside(([x, y]) => x >= Math.min(a.lng, b.lng) && x <= Math.max(a.lng, b.lng) && y >= Math.min(a.lat, b.lat) && y <= Math.max(a.lat, b.lat));
    }, { once: true });
  }

  return {
    box: () => mode("box"), polygon: () => mode("polygon"),
    view: () => { const seen = map.getBounds(); inside((at) => seen.contains(at)); },
    get drawing() { return state.mode !== ""; },
  };
}

// Whether a point lies in a polygon: an odd number of its edges lies to the right.
export function within([x, y], corners) {
  let odd = false;
  corners.forEach(([x1, y1], n) => {
    const [x2, y2] = corners[(n + corners.length - 1) % corners.length];
    if ((y1 > y) !== (y2 > y) && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) odd = !odd;
  });
  return odd;
}
