// What both maps share: the town's own streets as base, no tiles, colours from the page's tokens.
import { onTheme, token } from "./theme-tokens.js";

const here = new URL("./vendor/maplibre-gl.mjs", import.meta.url).href;
export const maplibre = await import(here);
export { onTheme, token };

export function style(streets) {
  return {
    version: 8,
    sources: { streets: { type: "geojson", data: streets } },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": token("--page") } },
      { id: "street-edge", type: "line", source: "streets", layout: { "line-cap": "round", "line-join": "round" },
        paint: { "line-color": token("--street-edge"), "line-width": ["interpolate", ["exponential", 1.6], ["zoom"], 11, 1, 15, 9, 18, 34] } },
      { id: "street", type: "line", source: "streets", layout: { "line-cap": "round", "line-join": "round" },
        paint: { "line-color": token("--street"), "line-width": ["interpolate", ["exponential", 1.6], ["zoom"], 11, 0.4, 15, 7, 18, 30] } },
      { id: "street-name", type: "symbol", source: "streets", minzoom: 14,
        layout: { "symbol-placement": "line", "text-field": ["get", "name"], "text-size": 12, "text-font": ["sans-serif"] },
        paint: { "text-color": token("--quiet"), "text-halo-color": token("--surface"), "text-halo-width": 1.5 } },
    ],
  };
}

export function recolour(map) {
  map.setPaintProperty("ground", "background-color", token("--page"));
  map.setPaintProperty("street-edge", "line-color", token("--street-edge"));
  map.setPaintProperty("street", "line-color", token("--street"));
  map.setPaintProperty("street-name", "text-color", token("--quiet"));
  map.setPaintProperty("street-name", "text-halo-color", token("--surface"));
}

export function bounds(points, middle) {
  const box = new maplibre.LngLatBounds();
  for (const point of points) box.extend(point);
  return box.isEmpty() ? new maplibre.LngLatBounds(middle, middle) : box;
}

export function make(container, streets, box, texts) {
  const map = new maplibre.Map({
    container, style: style(streets), bounds: box, fitBoundsOptions: { padding: 40, maxZoom: 17 }, maxZoom: 20,
    attributionControl: false, dragRotate: false, pitchWithRotate: false, touchPitch: false, boxZoom: false,
    fadeDuration: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 150,
    locale: { "NavigationControl.ZoomIn": texts.in, "NavigationControl.ZoomOut": texts.out },
  });
  map.touchZoomRotate.disableRotation();
  map.addControl(new maplibre.NavigationControl({ showCompass: false }), "top-right");
  return map;
}
