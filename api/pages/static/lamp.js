// A lamp's history: level, power, voltage, power factor and temperature under one another on one time axis. Dragging zooms, a
// double click shows all again; by keyboard arrows move from value to value, + and − zoom, 0 shows all.
import uPlot from "./vendor/uplot.mjs";
import { onTheme, token } from "./theme-tokens.js";

const box = document.getElementById("plots");
const said = document.getElementById("plot-said");
const language = document.documentElement.lang;
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", timeZone: "Europe/Berlin" });
const day = new Intl.DateTimeFormat(language, { weekday: "short", day: "numeric", month: "short", timeZone: "Europe/Berlin" });
const number = (value, digits) => new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
let data, plots = [], at = -1;

const dark = (plot) => {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = token("--night");
  for (const [from, to] of data.nights) {
    const [a, b] = [from, to].map((x) => Math.min(Math.max(plot.valToPos(x, "x", true), bbox.left), bbox.left + bbox.width));
    if (b > a) ctx.fillRect(a, bbox.top, b - a, bbox.height);
  }
  ctx.restore();
};

function ticks(plot, values) {
  const wide = plot.scales.x.max - plot.scales.x.min > 3 * 86400;
  return values.map((value) => value === null ? "" : wide || clock.format(value * 1000) === "00:00" ? day.format(value * 1000) : clock.format(value * 1000));
}

function options(series, last) {
  const axis = { stroke: token("--quiet"), grid: { stroke: token("--line"), width: 1 }, ticks: { stroke: token("--line"), width: 1 }, font: "12px system-ui, sans-serif" };
  const step = series.step ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear();
  return {
    width: box.clientWidth, height: last ? 150 : 120, tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "Europe/Berlin"),
    padding: [8, 16, last ? 0 : 4, 0], legend: { show: false }, cursor: { sync: { key: "lamp" }, drag: { x: true, y: false }, points: { size: 9 } },
    scales: { x: { time: true }, y: { range: (_, low, high) => series.range ?? (low === null ? [0, 1] : [Math.max(Math.min(low * 0.98, low - series.least), low < 0 ? -Infinity : 0), Math.max(high * 1.02, high + series.least)]) } },
    series: [{}, { label: series.name, stroke: token(series.colour), width: 2, paths: step, spanGaps: true, points: { show: series.few } }],
    axes: [{ ...axis, values: ticks, show: last, size: 30 }, { ...axis, size: 56, values: (_, values) => values.map((value) => number(value, 2)) }],
    hooks: { drawClear: [dark], setScale: [(plot, key) => { if (key === "x") together(plot); }] },
  };
}

let moving = false;
function together(plot) {
  if (moving) return;
  moving = true;
  for (const other of plots) if (other !== plot) other.setScale("x", { min: plot.scales.x.min, max: plot.scales.x.max });
  moving = false;
}

function draw() {
  for (const plot of plots) plot.destroy();
  box.hidden = false;
  box.replaceChildren();
  plots = data.series.map((series, n) => {
    const part = document.createElement("div");
    const name = Object.assign(document.createElement("p"), { className: "plot-name", textContent: `${series.name}${series.unit ? ` (${series.unit})` : ""}` });
    name.style.color = token(series.colour);
    part.append(name);
    box.append(part);
    return new uPlot(options(series, n === data.series.length - 1), [data.at, series.values], part);
  });
}

function go(n) {
  at = Math.min(Math.max(n, 0), data.at.length - 1);
  const x = data.at[at];
  for (const plot of plots) plot.setCursor({ left: plot.valToPos(x, "x"), top: 20 });
  const values = data.series.map((series) => series.values[at] === null ? "" : `${series.name} ${number(series.values[at], 2)} ${series.unit}`).filter(Boolean);
  said.textContent = `${day.format(x * 1000)} ${clock.format(x * 1000)}: ${values.join(", ")}`;
}

function zoom(factor) {
  const { min, max } = plots[0].scales.x, middle = at >= 0 ? data.at[at] : (min + max) / 2;
  const half = Math.max((max - min) * factor / 2, 60);
  plots[0].setScale("x", { min: Math.max(middle - half, data.from), max: Math.min(middle + half, data.to) });
}

const KEYS = {
  ArrowRight: () => go(at + 1), ArrowLeft: () => go(at < 0 ? data.at.length - 1 : at - 1), Home: () => go(0), End: () => go(data.at.length - 1),
  PageUp: () => go(at - 12), PageDown: () => go(at + 12), "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), "0": () => plots[0].setScale("x", { min: data.from, max: data.to }) };
box.addEventListener("keydown", (event) => {
  if (!plots.length || event.ctrlKey || event.metaKey || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
});

async function start() {
  const answer = await fetch(box.dataset.series);
  if (!answer.ok) return;
  data = await answer.json();
  if (!data.at.length) return;
  document.getElementById("plain-chart")?.remove();
  document.getElementById("plot-keys").hidden = false;
  draw();
  plots[0].setScale("x", { min: data.from, max: data.to });
  onTheme(draw);
  let wide = box.clientWidth;
  new ResizeObserver(() => { if (Math.abs(box.clientWidth - wide) > 4) { wide = box.clientWidth; for (const plot of plots) plot.setSize({ width: wide, height: plot.height }); } }).observe(box);
}

start();
