// Keeps the list fresh while somebody looks at it, lets numbers look old and go when nobody can vouch for them any more,
// and speaks only when a zone's word changes. Favourites and places stay in this browser.
const EVERY_MS = 60_000, TRUST_MS = 150_000, EARTH_M = 6_371_000;
const root = document.getElementById("parking"), live = document.getElementById("live"), said = document.getElementById("said");
const stale = document.getElementById("stale"), near = document.getElementById("near");
const GREY_MS = root.dataset.grey * 1000, HIDE_MS = root.dataset.hide * 1000;
const language = document.documentElement.lang;
const list = () => document.getElementById("zones");
const rows = () => [...document.querySelectorAll("[data-zone]")];
const written = () => Date.parse(list().dataset.now);
let ahead = 0, contact = Math.min(written(), Date.now()), tag = "", place = null, busy = false;

// -- favourites: only their names, only here
const kept = () => { try { return new Set(JSON.parse(localStorage.getItem(root.dataset.store) || "[]")); } catch { return new Set(); } };
function keep(zones) {
  try { zones.size ? localStorage.setItem(root.dataset.store, JSON.stringify([...zones])) : localStorage.removeItem(root.dataset.store); } catch { /* no storage: until the page is left */ }
}
let favourites = kept();

function star(row) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "fave";
  button.innerHTML = '<svg viewBox="0 0 20 20" aria-hidden="true" focusable="false"><path d="m10 2 2.5 5.2 5.7.8-4.1 4 1 5.6-5.1-2.7-5.1 2.7 1-5.6-4.1-4 5.7-.8Z"/></svg>';
  const name = row.querySelector("h2 a").textContent;
  button.setAttribute("aria-label", `${stale.dataset.favourite}: ${name}`);
  button.setAttribute("aria-pressed", favourites.has(row.dataset.zone));
  button.addEventListener("click", () => {
    favourites.has(row.dataset.zone) ? favourites.delete(row.dataset.zone) : favourites.add(row.dataset.zone);
    keep(favourites);
    button.setAttribute("aria-pressed", favourites.has(row.dataset.zone));
    arrange();
  });
  const head = document.createElement("div");
  head.className = "zone__head";
  row.querySelector("h2").replaceWith(head);
  return [head, button];
}

// -- near me: the browser alone works it out
function metres(row) {
  const rad = Math.PI / 180, lat = row.dataset.lat * rad, here = place.latitude * rad;
  const x = (row.dataset.lon - place.longitude) * rad * Math.cos((lat + here) / 2);
  return EARTH_M * Math.hypot(x, lat - here);
}
function far(row) {
  row.querySelector(".zone__far")?.remove();
  if (!place) return;
  const away = metres(row), text = document.createElement("p");
  const [words, value] = away < 950 ? [near.dataset.m, Math.round(away / 50) * 50] : [near.dataset.km, away / 1000];
  text.className = "zone__far";
  text.textContent = words.replace("{n}", new Intl.NumberFormat(language, { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value));
  row.append(text);
}

function arrange() {
  const box = document.querySelector(".zones");
  if (!box) return;
  const active = document.activeElement;
  const order = rows().sort((a, b) => (favourites.has(b.dataset.zone) - favourites.has(a.dataset.zone))
    || (place ? metres(a) - metres(b) : a.dataset.order - b.dataset.order));
  order.forEach((row, index) => { if (box.children[index] !== row) box.insertBefore(row, box.children[index] || null); });
  for (const row of order) far(row);
  if (active?.isConnected && active !== document.activeElement) active.focus({ preventScroll: true });
}

function dress() {
  rows().forEach((row, index) => {
    if (row.dataset.order) return;
    row.dataset.order = index;
    const title = row.querySelector("h2"), [head, button] = star(row);
    head.append(title, button);
  });
  arrange();
}

// -- how old it is
function age() {
  const now = Date.now() + ahead, lost = Date.now() - contact;
  for (const row of rows()) {
    const passed = Math.max(now - Date.parse(row.dataset.at), lost);
    row.classList.toggle("zone--old", passed > GREY_MS);
    if (passed > HIDE_MS) hide(row);
  }
  const since = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" }).format(contact);
  const words = lost > HIDE_MS ? stale.dataset.gone : lost > GREY_MS ? stale.dataset.old : "";
  stale.hidden = !words;
  stale.textContent = words.replace("{time}", since);
}
function hide(row) {
  if (row.dataset.word === "no_data") return;
  row.dataset.word = "no_data";
  row.className = "zone zone--no_data zone--old";
  row.querySelector(".zone__count").innerHTML = '<strong aria-hidden="true">?</strong> ';
  row.querySelector(".zone__count").append(stale.dataset.none);
  row.querySelector(".zone__word").textContent = "";
  for (const count of row.querySelectorAll(".zone__apart b")) count.textContent = "?";
}

// -- news
async function refresh() {
  if (busy || document.hidden) return;
  busy = true;
  try {
    const address = new URL(root.dataset.page, location.href);
    address.searchParams.set("part", "list");
    const answer = await fetch(address, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store", credentials: "omit" });
    if (answer.status === 200) {
      tag = answer.headers.get("etag") || "";
      take(await answer.text());
    }
    if (answer.status === 200 || answer.status === 304) contact = Date.now();
  } catch { /* no connection: age() says so */ } finally {
    busy = false;
    age();
  }
}

function take(text) {
  const came = new DOMParser().parseFromString(text, "text/html").getElementById("zones");
  if (!came) return;
  const before = new Map(rows().map((row) => [row.dataset.zone, row.dataset.word]));
  const active = document.activeElement, zone = active?.closest?.("[data-zone]")?.dataset.zone;
  const again = active && list().contains(active) ? (active.matches(".fave") ? ".fave" : active.matches("h2 a") ? "h2 a" : ".button") : "";
  list().replaceWith(came);
  ahead = written() - Date.now();
  dress();
  if (again) (zone ? rows().find((row) => row.dataset.zone === zone)?.querySelector(again) : list().querySelector(again))?.focus({ preventScroll: true });
  const changed = rows().filter((row) => before.has(row.dataset.zone) && before.get(row.dataset.zone) !== row.dataset.word);
  live.textContent = changed.map((row) => row.dataset.says).join(". ");
}

function tell(words) {
  said.hidden = !words;
  said.textContent = words;
}

if (near && "geolocation" in navigator) {
  near.hidden = false;
  near.addEventListener("click", () => {
    if (place) {
      place = null;
      near.setAttribute("aria-pressed", "false");
      tell(near.dataset.off);
      arrange();
      return;
    }
    tell(near.dataset.wait);
    navigator.geolocation.getCurrentPosition(({ coords }) => {
      place = { latitude: coords.latitude, longitude: coords.longitude };
      near.setAttribute("aria-pressed", "true");
      tell(near.dataset.done);
      arrange();
    }, () => tell(near.dataset.denied), { maximumAge: 60_000, timeout: 15_000 });
  });
}

dress();
// a page out of some store of the browser's is not news: its time says so
if (Math.abs(Date.now() - written()) > TRUST_MS || performance.getEntriesByType("navigation")[0]?.type === "back_forward") refresh();
else contact = Date.now();
age();
setInterval(() => { age(); refresh(); }, EVERY_MS);
setInterval(age, 15_000);
document.addEventListener("visibilitychange", () => { if (!document.hidden && Date.now() - contact > EVERY_MS / 2) refresh(); });
addEventListener("pageshow", (event) => { if (event.persisted) refresh(); });
addEventListener("online", refresh);

const more = document.getElementById("map-more");
if (more) {
  more.hidden = false;
  more.addEventListener("toggle", async () => {
    if (!more.open || more.dataset.drawn) return;
    more.dataset.drawn = "yes";
    const { draw } = await import(more.dataset.module);
    await draw(more);
  });
}

// -- without a connection: the page as it was last seen, with its time
if (isSecureContext) navigator.serviceWorker?.register(root.dataset.worker, { scope: root.dataset.scope }).catch(() => { /* the page works without */ });
