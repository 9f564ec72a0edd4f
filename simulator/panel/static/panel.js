// The page: numbers of now, the list, and who is selected. Everything comes from the API of this address.
import { act, api, at, complain, h, hasToken, how, moment, n, n1, percent, say, sign, t, useToken } from "./base.js";
import { Chosen } from "./device.js";
import { TownMap } from "./map.js";
import { Whole } from "./town.js";

const PAGE = 50, AGAIN_MS = 2000;
const $ = (id) => document.getElementById(id);
const state = { town: "", offset: 0, thing: "", stream: null, total: 0 };
const cells = new Map();
let paused = false, names = new Map(), listing = 0, waiting = 0;

const map = new TownMap((id) => choose(id, true));
const chosen = new Chosen(() => { state.thing = ""; map.choose(""); remember(); });
const whole = new Whole((gateways) => { names = new Map(gateways.map((one) => [one.id, one.name])); map.towers(gateways); });

function remember() {
  const asked = new URLSearchParams();
  for (const [key, value] of [["town", state.town], ["q", $("q").value], ["kind", $("kind").value], ["shows", $("shows").value], ["thing", state.thing]]) if (value) asked.set(key, value);
  history.replaceState(null, "", `${location.pathname}?${asked}`);
  $("other").search = `?${asked}`;
}

async function choose(id, jump) {
  state.thing = id;
  remember();
  map.choose(id);
  mark();
  if (await chosen.open(state.town, id, names) && jump) {
    $("chosen").focus({ preventScroll: true });
    if ($("chosen").getBoundingClientRect().top > innerHeight - 80) $("chosen").scrollIntoView({ block: "start" });
  }
}

function mark() {
  for (const button of $("devices").querySelectorAll("button")) button.setAttribute("aria-current", String(button.dataset.id === state.thing));
}

async function list() {
  const ticket = ++listing;
  const asked = new URLSearchParams({ q: $("q").value, kind: $("kind").value, shows: $("shows").value, offset: state.offset, limit: PAGE });
  const page = await api(`${at("towns", state.town, "devices")}?${asked}`).catch((error) => complain(error.message));
  if (!page || ticket !== listing) return;
  state.total = page.total;
  cells.clear();
  const focused = $("devices").contains(document.activeElement) ? document.activeElement.dataset.id : "";
  $("devices").replaceChildren(...(page.items.length ? page.items.map(row) : [h("li.empty", {}, t("No device fits. Change what is searched for."))]));
  if (focused) cells.get(focused)?.button.focus();
  $("total").textContent = n(page.total);
  $("where").textContent = page.total ? t("{from}–{to} of {total}", { from: n(page.offset + 1), to: n(Math.min(page.offset + PAGE, page.total)), total: n(page.total) }) : "";
  $("before").disabled = page.offset === 0;
  $("after").disabled = page.offset + PAGE >= page.total;
  mark();
}

function row(one) {
  const cell = { one, sign: h("span"), how: h("span.how") };
  cell.button = h("button", { type: "button", "data-id": one.id, onclick: () => choose(one.id, true) }, cell.sign,
    h("span.name", {}, one.name, h("small", {}, [one.id === one.name ? "" : one.id, one.circuit || one.zone].filter(Boolean).join(" · "))), cell.how);
  cells.set(one.id, cell);
  dress(cell);
  return h("li", {}, cell.button);
}

function dress(cell) { cell.sign.replaceChildren(sign(cell.one)); cell.how.textContent = how(cell.one); }

const shown = {};
function numbers(now) {
  $("time").textContent = moment(now.at);
  pauseShows(now.paused);
  const rows = {
    joined: [t("joined"), n(now.joined), t("of {all}", { all: n(now.devices) })], uplinks: [t("uplinks a second"), n1(now.uplinks_s), t("{all} in all", { all: n(now.uplinks) })],
    burning: [t("lamps burn"), n(now.burning), t("of {all}", { all: n(now.lamps) })], unpowered: [t("lamps without power"), n(now.unpowered), ""],
    taken: [t("bays taken"), n(now.taken), t("of {all}", { all: n(now.bays) })], downlinks: [t("downlinks"), n(now.downlinks), t("{lost} lost", { lost: n(now.lost_down) })],
    lost: [t("uplinks that nobody heard"), n(now.lost_up), ""], collisions: now.collisions === null ? null : [t("copies collided"), n(now.collisions), ""],
    airtime: [t("airtime of the busiest gateway"), percent(now.airtime), ""], gateways: [t("gateways on the net"), n(now.gateways - now.gateways_down), t("of {all}", { all: n(now.gateways) })],
    wrong: [t("devices with a fault"), n(now.faulty), now.apart ? t("{count} off the net", { count: n(now.apart) }) : ""], faults: [t("running faults"), n(now.faults.length), ""],
  };
  for (const [key, told] of Object.entries(rows)) {
    if (!told) continue;
    const cell = (shown[key] ??= build(told[0]));
    if (cell.value.textContent !== told[1]) cell.value.textContent = told[1];
    cell.small.textContent = told[2];
  }
  const key = JSON.stringify(now.faults);
  if (shown.key !== key) { shown.key = key; whole.faults(now.faults); }
}
function build(name) {
  const cell = { value: h("span"), small: h("small") };
  $("numbers").append(h("div", {}, h("dt", {}, name), h("dd", {}, cell.value, " ", cell.small)));
  return cell;
}

function changes(told) {
  if (told.many) { anew(); return; }
  map.changed(told.items);
  for (const one of told.items) {
    const cell = cells.get(one.id);
    if (cell) { Object.assign(cell.one, one); dress(cell); }
  }
  if ($("shows").value) soon();
}
function soon() { if (!waiting) waiting = setTimeout(() => { waiting = 0; list(); }, 1500); }
function anew() { map.again(); soon(); }

function listen() {
  state.stream?.close();
  const stream = (state.stream = new EventSource(`/api${at("towns", state.town)}/events`));
  const live = (text, kind) => { $("live").textContent = text; $("live").className = `chip small chip--${kind}`; };
  stream.onopen = () => live(t("live"), "ok");
  stream.onerror = () => {
    live(t("no connection"), "bad");
    if (stream.readyState === EventSource.CLOSED && stream === state.stream) setTimeout(() => { if (stream === state.stream) listen(); }, 5000);
  };
  stream.addEventListener("numbers", (event) => numbers(JSON.parse(event.data)));
  stream.addEventListener("changes", (event) => changes(JSON.parse(event.data)));
  stream.addEventListener("anew", anew);
}

async function open(town) {
  state.town = town;
  state.offset = 0;
  $("town").value = town;
  delete shown.key;
  try {
    await map.open(town);
    await whole.open(town);
  } catch (error) { complain(error.message); }
  listen();
  await list();
}

function pauseShows(is) {
  if (paused === is && $("pause").textContent) return;
  paused = is;
  $("pause").textContent = is ? t("Go on") : t("Stop time");
}

async function begin() {
  const asked = new URLSearchParams(location.search);
  for (const key of ["q", "kind", "shows"]) $(key).value = asked.get(key) ?? "";
  const towns = [...$("town").options].map((one) => one.value);
  $("town").closest("label").hidden = towns.length < 2;
  if (towns.length < 2) $("town").closest("label").after(h("strong", {}, $("town").options[0]?.textContent ?? ""));
  $("key").hidden = hasToken();
  await open(towns.includes(asked.get("town")) ? asked.get("town") : towns[0]);
  if (asked.get("thing")) await choose(asked.get("thing"), false);
  remember();
  const clock = await api("/clock").catch(() => ({ can_pause: false }));
  $("pause").hidden = !clock.can_pause;
  pauseShows(clock.paused === true);
}

$("key").addEventListener("submit", (event) => { event.preventDefault(); useToken($("token").value.trim()); say(t("The token is kept until this tab is closed.")); });
$("town").addEventListener("change", async () => { chosen.close(); await open($("town").value); remember(); });
$("pause").addEventListener("click", async () => { const now = await act("/clock", { paused: !paused }, paused ? t("Time goes on.") : t("Time stands still.")); if (now) pauseShows(now.paused); });
$("before").addEventListener("click", () => { state.offset = Math.max(state.offset - PAGE, 0); list(); });
$("after").addEventListener("click", () => { state.offset += PAGE; list(); });
for (const id of ["q", "kind", "shows"]) $(id).addEventListener(id === "q" ? "input" : "change", () => { state.offset = 0; remember(); if (id === "q") { clearTimeout(waiting); waiting = setTimeout(() => { waiting = 0; list(); }, 200); } else list(); });
setInterval(() => { if (!document.hidden) { chosen.refresh(); whole.refresh(); } }, AGAIN_MS);
begin();
