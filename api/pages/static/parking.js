// Keeps the list fresh while somebody looks at it, says so when it cannot, and speaks only when a zone's word changes.
const EVERY_MS = 60_000, OLD_MS = 5 * 60_000, GONE_MS = 30 * 60_000;
const live = document.getElementById("live");
const stale = document.getElementById("stale");
let fresh = Date.now();

const words = () => new Map([...document.querySelectorAll("[data-zone]")].map((zone) => [zone.dataset.zone, zone.dataset.word]));
let known = words();

function age() {
  const old = Date.now() - fresh;
  const zones = document.getElementById("zones");
  zones.classList.toggle("stale", old > OLD_MS);
  stale.hidden = old <= OLD_MS;
  stale.textContent = old > OLD_MS ? stale.dataset.old : "";
  if (old > GONE_MS) for (const count of zones.querySelectorAll(".zone__count strong")) count.textContent = "?";
}

function refresh() {
  if (document.hidden || !globalThis.htmx) return;
  htmx.trigger("#zones", "refresh");
}

document.body.addEventListener("htmx:afterSwap", () => {
  fresh = Date.now();
  const now = words();
  const changed = [...now].filter(([zone, word]) => known.has(zone) && known.get(zone) !== word);
  live.textContent = changed.map(([zone, word]) => `${zone}: ${word}`).join(". ");
  known = now;
  age();
});
setInterval(() => { age(); refresh(); }, EVERY_MS);
document.addEventListener("visibilitychange", () => { if (Date.now() - fresh > EVERY_MS) refresh(); });

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
