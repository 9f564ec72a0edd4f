// The console's life: one selection for list and map, the drawer, and what the town says while one looks.
import { ready } from "./form.js";

const body = document.body;
const at = body.dataset;
const texts = document.getElementById("texts").dataset;
const live = document.getElementById("live");
const drawer = document.getElementById("drawer");
const chosen = new Set();
const MOST = 200, RENEW_MS = 2000, TONIGHT_MS = 15_000;
let map, asked;

// ---- one selection
function choose(ids, how) {
  for (const id of ids) how === "toggle" && chosen.has(id) ? chosen.delete(id) : chosen.add(id);
  selected();
}

function selected() {
  for (const box of document.querySelectorAll('input[name="lamp"]')) if (box.closest("#choose")) box.checked = chosen.has(box.value);
  for (const row of document.querySelectorAll("[data-lamp]")) row.classList.toggle("chosen", chosen.has(row.dataset.lamp));
  map?.choose(chosen);
  if (drawer.querySelector("#dim, #progress")) return;
  drawer.hidden = chosen.size === 0;
  if (!chosen.size) return drawer.replaceChildren();
  if (!drawer.querySelector("[data-count]")) drawer.replaceChildren(document.getElementById("chosen").content.cloneNode(true));
  const text = chosen.size > MOST ? texts.most : chosen.size === 1 ? texts.one : texts.many.replace("#", chosen.size);
  drawer.querySelector("[data-count]").textContent = text;
  const dim = drawer.querySelector("[data-dim]");
  if (dim) dim.disabled = chosen.size > MOST;
}

function open(url, from) {
  asked = from ?? document.activeElement;
  drawer.hidden = false;
  return htmx.ajax("GET", url, { target: "#drawer", swap: "innerHTML" }).then(() => (drawer.querySelector("h2") ?? drawer).focus());
}

function close() {
  drawer.replaceChildren();
  drawer.hidden = true;
  selected();
  (asked?.isConnected ? asked : document.getElementById("main")).focus();
}

body.addEventListener("change", (event) => {
  const box = event.target;
  if (!box.matches('#choose input[name="lamp"]')) return;
  box.checked ? chosen.add(box.value) : chosen.delete(box.value);
  selected();
});
body.addEventListener("click", (event) => {
  const link = event.target.closest("a, button");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (link.matches("[data-drawer]")) { event.preventDefault(); open(link.href, link); }
  else if (link.matches("#drawer [data-close]")) { event.preventDefault(); close(); }
  else if (link.matches("[data-clear]")) { chosen.clear(); close(); }
  else if (link.matches("[data-dim]")) open(`${at.dialog}?${new URLSearchParams([...chosen].map((id) => ["lamp", id]))}`, link);
});
addEventListener("keydown", (event) => { if (event.key === "Escape" && !drawer.hidden && drawer.contains(document.activeElement)) close(); });
body.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id === "lamps") selected();
  if (event.target.id === "drawer") {
    ready(drawer);
    if (drawer.querySelector("#progress")) { chosen.clear(); selected(); drawer.querySelector("h2")?.focus(); }
  }
  settled();
});

let wasSettled;
function settled() {
  const progress = document.getElementById("progress");
  const now = progress?.dataset.settled;
  if (now === "yes" && wasSettled === "no") live.textContent = texts.settled;
  wasSettled = now;
}

// ---- what changes
const lamps = new Map();
const pending = new Map();
const missed = new Set();  // parts that changed while nobody looked
let lastTook = 0;  // a town of 20,000 lamps takes the server a while: ask it less often then
body.addEventListener("htmx:beforeRequest", (event) => { event.detail.xhr.began = performance.now(); });
body.addEventListener("htmx:afterRequest", (event) => { lastTook = performance.now() - (event.detail.xhr.began ?? performance.now()); });
function renew(id, least) {
  const wait = Math.max(least, id === "progress" ? 0 : 6 * lastTook);
  const due = performance.now() + wait;
  const waiting = pending.get(id);
  if (waiting?.due <= due) return;
  clearTimeout(waiting?.timer);
  pending.set(id, { due, timer: setTimeout(() => { pending.delete(id); if (document.getElementById(id)) document.hidden ? missed.add(id) : htmx.trigger(`#${id}`, "renew"); }, wait) });
}
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  for (const id of missed) renew(id, 0);
  missed.clear();
});

function heard(items) {
  const shown = new Set([...document.querySelectorAll("[data-lamp]")].map((row) => row.dataset.lamp));
  for (const item of items) {
    const known = lamps.get(item.id);
    if (known) Object.assign(known, { level: item.level === null ? -1 : Math.round(item.level), target: item.target.level, word: item.state });
    if (shown.has(item.id)) renew("lamps", RENEW_MS);
  }
  map?.update();
  renew("zonecard", RENEW_MS);
  renew("tonight", TONIGHT_MS);
}

function listen() {
  const source = new EventSource(at.events);
  source.addEventListener("lamps", (event) => heard(JSON.parse(event.data).lamps));
  source.addEventListener("overrides", () => { renew("progress", 300); renew("zonecard", 300); renew("lamps", 300); renew("tonight", 1000); });
  source.addEventListener("commands", () => renew("progress", 500));
  source.addEventListener("alarms", () => renew("tonight", 1000));
  source.addEventListener("reload", () => location.reload());
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) { live.textContent = texts.offline; setTimeout(listen, 10_000); } };
}

async function start() {
  listen();
  for (const chip of document.querySelectorAll(".chips--line [aria-current]")) {
    const line = chip.closest("ul");
    line.scrollLeft = chip.offsetLeft - line.offsetLeft - (line.clientWidth - chip.offsetWidth) / 2;
  }
  if (!at.map) return;
  const [streets, feed, { LampMap }] = await Promise.all([
    fetch(at.streets).then((answer) => answer.json()), fetch(at.lamps).then((answer) => answer.json()), import("./lamp-map.js")]);
  for (const [id, name, x, y, zone, level, target, word] of feed.lamps) lamps.set(id, { id, name, at: [x, y], zone, level, target, word: feed.words[word] });
  map = await new LampMap(document.getElementById("map"), lamps, streets, choose).ready;
  const zone = new URLSearchParams(location.search).get("zone");
  if (zone) map.show([...lamps.values()].filter((lamp) => lamp.zone === zone).map((lamp) => lamp.id));
  document.getElementById("map").dataset.ready = "yes";
}

start();
