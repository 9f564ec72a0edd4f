// The console's life: one search and one selection for list and map, the drawer, and what the town says while one looks.
import { ready, touched } from "./form.js";
import { LampList } from "./lamp-list.js";
import { LampStore } from "./lamp-store.js";

const body = document.body;
const at = body.dataset;
const texts = document.getElementById("texts").dataset;
const live = document.getElementById("live");
const drawer = document.getElementById("drawer");
const find = document.getElementById("find");
const FILTERS = ["q", "zone", "circuit", "group", "state", "fault", "colour"];
const RENEW_MS = 2000, TONIGHT_MS = 15_000, TYPING_MS = 150;
let store, map, asked;

// ---- the search: in the form, in the address, and in what is shown
function searched() {
  return Object.fromEntries(FILTERS.map((name) => [name, find.elements[name]?.value.trim() ?? ""]).filter(([, value]) => value));
}

function look(push) {
  const search = searched();
  const { colour, ...filters } = search;
  if (colour === "level") delete search.colour;
  const query = new URLSearchParams(search).toString();
  const address = query ? `${location.pathname}?${query}` : location.pathname;
  if (push && address !== location.pathname + location.search) history.pushState(null, "", address);
  for (const link of document.querySelectorAll("nav a[hreflang]")) link.search = query;
  find.querySelector("[data-reset]").hidden = Object.keys(filters).length === 0;
  store.look(filters);
  if (map && map.colour !== (colour ?? "level")) map.paint(colour ?? "level");
  for (const legend of document.querySelectorAll("[data-legend]")) legend.hidden = legend.dataset.legend !== (colour ?? "level");
  zoneCard(filters.zone ?? "");
  counted();
}

let zoneShown;
async function zoneCard(zone) {
  const box = document.getElementById("zonebox");
  if (zone === zoneShown) return;
  zoneShown = zone;
  if (!zone) return box.replaceChildren();
  const answer = await fetch(location.href, { headers: { "HX-Request": "true", "HX-Target": "zonecard" } });
  if (!answer.ok || zone !== zoneShown) return;
  box.innerHTML = await answer.text();
  htmx.process(box);
  map?.show(store.all.filter((lamp) => lamp.zone === zone));
}

function counted() {
  const found = store.found.length, chosen = store.chosen.size;
  const number = new Intl.NumberFormat(document.documentElement.lang);
  const all = document.getElementById("choose-found");
  all.hidden = found === 0;
  all.disabled = store.found.every((lamp) => store.chosen.has(lamp.id));
  all.textContent = texts.found.replace("#", number.format(found));
  document.getElementById("counted").textContent = chosen ? (chosen === 1 ? texts.one : texts.many.replace("#", number.format(chosen))) : "";
}

let typing;
find.addEventListener("submit", (event) => { if (store) { event.preventDefault(); look(true); } });
find.addEventListener("input", (event) => {
  if (!store) return;
  clearTimeout(typing);
  typing = setTimeout(() => { look(true); announce(); }, event.target.name === "q" ? TYPING_MS : 0);
});
find.addEventListener("click", (event) => {
  if (!store || !event.target.closest("[data-reset]")) return;
  event.preventDefault();
  for (const name of FILTERS) if (name !== "colour") find.elements[name].value = "";
  look(true);
  find.elements.q.focus();
});
addEventListener("popstate", () => {
  const asked = new URLSearchParams(location.search);
  for (const name of FILTERS) find.elements[name].value = asked.get(name) ?? (name === "colour" ? "level" : "");
  if (store) look(false);
});

let saying;
function announce() {
  clearTimeout(saying);
  saying = setTimeout(() => { live.textContent = texts.foundNow.replace("#", String(store.found.length)); }, 700);
}

// ---- the drawer
function selected() {
  counted();
  const { size } = store.chosen;
  if (drawer.querySelector("#dim, #progress")) return;
  drawer.hidden = size === 0;
  if (!size) return drawer.replaceChildren();
  if (!drawer.querySelector("[data-count]")) drawer.replaceChildren(document.getElementById("chosen").content.cloneNode(true));
  drawer.querySelector("[data-count]").textContent = size === 1 ? texts.one : texts.many.replace("#", new Intl.NumberFormat(document.documentElement.lang).format(size));
}

function open(url, from, values) {
  asked = from ?? document.activeElement;
  drawer.hidden = false;
  return htmx.ajax(values ? "POST" : "GET", url, { target: "#drawer", swap: "innerHTML", values })
    .then(() => (drawer.querySelector("h2") ?? drawer).focus());
}

function dim(from, more = {}) {
  const target = store.target();
  const meant = target ? { target } : { lamps: [...store.chosen].join(" ") };
  open(at.draft, from, { ...meant, ...more, back: location.pathname + location.search, csrf: document.querySelector("input[name=csrf]")?.value ?? "" });
}

// A new group of the chosen lamps: in the address while that is short, else as a form that is already filled in.
const ADDRESS_MOST = 1800;
function group() {
  const query = new URLSearchParams([...store.chosen].map((id) => ["lamp", id]));
  const url = `${at.group}?${query}`;
  if (url.length <= ADDRESS_MOST) return location.assign(url);
  const form = Object.assign(document.createElement("form"), { method: "post", action: at.group, hidden: true });
  const fields = { do: "choose", way: "members", members: [...store.chosen].join("\n"), csrf: document.querySelector("input[name=csrf]").value };
  for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement("textarea"), { name, value }));
  document.body.append(form);
  form.submit();
}

function close() {
  drawer.replaceChildren();
  drawer.hidden = true;
  selected();
  (asked?.isConnected ? asked : document.querySelector(".grid[role=grid]") ?? document.getElementById("main")).focus();
}

body.addEventListener("click", (event) => {
  const link = event.target.closest("a, button");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (link.matches("[data-drawer]")) { event.preventDefault(); open(link.href, link); }
  else if (link.matches("#drawer [data-close]")) { event.preventDefault(); close(); }
  else if (link.matches("[data-clear]")) { store.clear(); close(); }
  else if (link.matches("[data-group]")) group();
  else if (link.matches("[data-dim]")) dim(link);
  else if (link.matches("[data-emergency]")) dim(link, { emergency: "yes", level: "100" });
  else if (link.id === "choose-found") { store.chooseFound(); announceChosen(); }
});
addEventListener("keydown", (event) => { if (event.key === "Escape" && !drawer.hidden && drawer.contains(document.activeElement)) close(); });
body.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id === "drawer") {
    ready(drawer);
    if (drawer.querySelector("#progress")) { store?.clear(); drawer.querySelector("h2")?.focus(); }
    else drawer.querySelector("[data-focus]")?.focus();
  }
  settled();
});
body.addEventListener("htmx:responseError", () => { live.textContent = texts.offline; });

function announceChosen() { live.textContent = document.getElementById("counted").textContent; }

let wasSettled;
function settled() {
  const progress = document.getElementById("progress");
  const now = progress?.dataset.settled;
  if (now === "yes" && wasSettled === "no") live.textContent = texts.settled;
  wasSettled = now;
}

// ---- what changes
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

function listen() {
  const source = new EventSource(at.events);
  source.addEventListener("lamps", (event) => {
    store?.hear(JSON.parse(event.data).lamps);
    renew("zonecard", RENEW_MS);
    renew("tonight", TONIGHT_MS);
  });
  source.addEventListener("overrides", () => { renew("progress", 300); renew("zonecard", 300); renew("tonight", 1000); });
  source.addEventListener("commands", () => renew("progress", 500));
  source.addEventListener("alarms", () => renew("tonight", 1000));
  source.addEventListener("reload", () => location.reload());
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) { live.textContent = texts.offline; setTimeout(listen, 10_000); } };
}

async function start() {
  listen();
  const feed = await fetch(at.lamps).then((answer) => answer.json());
  if (!feed.id.length) return;
  store = new LampStore(feed);
  const ticked = [...document.querySelectorAll("#choose input:checked")].map((one) => one.value);
  document.getElementById("lamps")?.remove();
  const box = document.getElementById("list");
  box.hidden = false;
  document.getElementById("choosing").hidden = false;
  zoneShown = new URLSearchParams(location.search).get("zone") ?? "";
  look(touched(find).length > 0);
  new LampList(box, store, { ...texts, ahead: feed.now - Date.now() / 1000, page: at.page });
  store.addEventListener("chosen", selected);
  store.addEventListener("found", counted);
  if (ticked.length) store.choose(ticked);
  box.dataset.ready = "yes";
  if (!at.map) return;
  const [streets, { LampMap }] = await Promise.all([fetch(at.streets).then((answer) => answer.json()), import("./lamp-map.js")]);
  map = await new LampMap(document.getElementById("map"), store, streets, find.elements.colour.value).ready;
  if (zoneShown) map.show(store.all.filter((lamp) => lamp.zone === zoneShown));
  document.getElementById("map").dataset.ready = "yes";
}

start();
