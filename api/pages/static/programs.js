// The night's curve: its points are dragged or moved by arrow keys and write into the form; the form redraws the curve.
// What comes of it is asked from the server after a short rest. Without this module the form does all of it.
const REST_MS = 500, SNAP = 5, NOON = 720, FURTHEST = 240, SVG = "http://www.w3.org/2000/svg";
let timer, dragged;

const byId = (id) => document.getElementById(id);
const field = (name, key) => byId(`${name}-${key}`);
const within = (value, low, high) => Math.min(Math.max(value, low), high);

// ---- the form as numbers
function night() {
  const { minutes, turns } = byId("curve").dataset;
  return { minutes: Number(minutes), extra: Number(minutes) - 1440, turns: JSON.parse(turns) };
}

function across(clock, { extra }) {  // minutes after midnight to minutes after noon; a night may have 23 or 25 hours
  return clock >= NOON ? clock - NOON : clock + NOON + (clock >= 180 ? extra : 0);
}

function clockOf(minute, { extra }) {
  const local = (minute < NOON ? minute + NOON : minute - NOON) - (minute >= (extra < 0 ? 840 : 900) ? extra : 0);
  const whole = ((Math.floor(local + 0.02) % 1440) + 1440) % 1440;
  return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
}

function baseOf(key, now) {  // minutes after noon that a row's anchor stands at; null: the clock, undefined: not known yet
  const anchor = field("anchor", key).value;
  if (anchor === "clock") return null;
  if (anchor in now.turns) return now.turns[anchor];
  const asked = `${anchor}|${field("altitude", key).value}`;
  const row = document.querySelector(`.step[data-key="${key}"]`);
  return row.dataset.asked === asked ? JSON.parse(byId("judged").dataset.bases)[key] : undefined;
}

function stepOf(key, now) {  // { minute, level, fade } or null where it cannot be read
  const base = baseOf(key, now);
  const typed = field("time", key).value.match(/^([01]?\d|2[0-4])[:.]([0-5]\d)$/);
  const offset = Number(field("offset", key).value.replace("−", "-") || 0);
  const level = key === "off" ? 0 : Number(field("level", key).value.trim() || NaN);
  const minute = base === null ? (typed ? across((60 * typed[1] + Number(typed[2])) % 1440, now) : NaN) : base + offset;
  if (!(level >= 0 && level <= 100) || !Number.isFinite(minute)) return null;
  return { minute: within(minute, 0, now.minutes), level, fade: Number(field("fade", key).value) / 60 || 0 };
}

function write(key, minute, level) {
  const now = night(), base = baseOf(key, now);
  if (base === undefined) return;
  if (base === null) field("time", key).value = clockOf(within(minute, 0, now.minutes - 1), now);
  else field("offset", key).value = String(within(Math.round(minute - base), -FURTHEST, FURTHEST));
  if (key !== "off") field("level", key).value = String(within(Math.round(level), 0, 100));
  draw();
  later();
}

// ---- the drawing
function changes(steps, now) {
  const { on, off, ...rest } = steps;
  const found = new Map([[0, { level: 0, fade: 0 }]]);
  if (on && off && on.minute < off.minute) {
    found.set(on.minute, on);
    const between = Object.values(rest).filter(Boolean).map((step) => ({ ...step, minute: within(step.minute, on.minute, off.minute) }));
    for (const step of between.sort((one, other) => one.minute - other.minute)) found.set(step.minute, step);
    found.set(off.minute, off);
  }
  return [...found].filter(([minute]) => minute < now.minutes).sort(([one], [other]) => one - other);
}

function path(steps, now) {
  const ordered = changes(steps, now);
  let text = "M0 100", level = 0;
  ordered.forEach(([minute, step], index) => {
    const end = Math.min(minute + step.fade, ordered[index + 1]?.[0] ?? now.minutes);
    level += (step.fade ? (end - minute) / step.fade : 1) * (step.level - level);
    text += `H${minute}L${end} ${100 - level}`;
  });
  return `${text}H${now.minutes}`;
}

function draw() {
  const now = night(), steps = {};
  const curve = byId("curve");
  for (const handle of curve.querySelectorAll("[data-key]")) {
    const { key } = handle.dataset;
    const step = steps[key] = stepOf(key, now);
    handle.toggleAttribute("hidden", !step);
    byId(`at-${key}`).textContent = step ? clockOf(step.minute, now) : "";
    if (!step) continue;
    const x = `${(100 * step.minute) / now.minutes}%`, y = `${100 - step.level}%`;
    for (const circle of handle.querySelectorAll("circle")) { circle.setAttribute("cx", x); circle.setAttribute("cy", y); }
    handle.querySelector("text").setAttribute("x", x);
    handle.querySelector("text").setAttribute("y", y);
    handle.setAttribute("aria-valuenow", step.level);
    handle.setAttribute("aria-valuetext", `${clockOf(step.minute, now)}, ${key === "off" ? curve.dataset.off : `${step.level} %`}`);
  }
  const line = path(steps, now);
  curve.querySelector(".n-line").setAttribute("d", line);
  curve.querySelector(".n-area").setAttribute("d", `${line}V100H0Z`);
}

// ---- what comes of it
function later() {
  clearTimeout(timer);
  timer = setTimeout(check, REST_MS);
}

function check() {
  clearTimeout(timer);
  const form = byId("editor");
  if (typeof htmx === "undefined" || !form) return;
  remember();
  htmx.ajax("POST", form.action, { source: form, target: "#judged", swap: "outerHTML", values: { do: "check" } });
}

function remember() {  // which altitudes the server's answer will be for
  for (const row of document.querySelectorAll(".step")) row.dataset.asked = `${field("anchor", row.dataset.key).value}|${field("altitude", row.dataset.key).value}`;
}

// ---- points that are moved
function ready() {
  const curve = byId("curve");
  if (!curve || curve.dataset.ready) return;
  curve.dataset.ready = "yes";
  curve.querySelector("[data-script]").hidden = false;
  curve.querySelectorAll("[data-key]").forEach((handle, index) => {
    const said = { role: "slider", tabindex: "0", "aria-label": `${curve.dataset.step} ${index + 1}`, "aria-valuemin": "0", "aria-valuemax": "100", "aria-describedby": "curve-hint" };
    for (const [name, value] of Object.entries(said)) handle.setAttribute(name, value);
    const last = document.createElementNS(SVG, "title");
    last.textContent = said["aria-label"];
    handle.append(last);
  });
  remember();
  draw();
}

function moved(event) {
  const box = byId("curve").querySelector(".curve__handles").getBoundingClientRect();
  const now = night(), { key } = dragged.dataset, base = baseOf(key, now) ?? 0;
  const minute = (within(event.clientX - box.left, 0, box.width) / box.width) * now.minutes;
  const level = 100 - (within(event.clientY - box.top, 0, box.height) / box.height) * 100;
  write(key, base + Math.round((minute - base) / SNAP) * SNAP, Math.round(level / SNAP) * SNAP);
}

document.addEventListener("pointerdown", (event) => {
  const handle = event.target.closest?.(".curve__handles [data-key]");
  if (!handle || event.button) return;
  event.preventDefault();
  dragged = handle;
  handle.setPointerCapture(event.pointerId);
  handle.focus();
});
document.addEventListener("pointermove", (event) => { if (dragged) moved(event); });
for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, () => { dragged = undefined; });

document.addEventListener("keydown", (event) => {
  const handle = event.target.closest?.(".curve__handles [data-key]");
  if (!handle) return;
  const step = stepOf(handle.dataset.key, night());
  const by = event.shiftKey ? 1 : SNAP;
  const move = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, by], ArrowDown: [0, -by], PageUp: [0, 10], PageDown: [0, -10],
    Home: [0, -100], End: [0, 100] }[event.key];
  if (!move || !step) return;
  event.preventDefault();
  write(handle.dataset.key, step.minute + move[0], step.level + move[1]);
});

document.addEventListener("input", (event) => { if (event.target.closest?.(".step")) { draw(); later(); } });
document.addEventListener("change", (event) => {
  if (event.target.id === "target") check();
  if (event.target.id === "night") byId("do-check").click();
});
document.body.addEventListener("htmx:afterSettle", () => { ready(); if (byId("curve") && !dragged) draw(); });
ready();
