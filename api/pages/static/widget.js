// A frame in somebody's website: fresh every minute while it is seen, old where it looks old, and "?" where nobody would bet.
const EVERY_MS = 60_000;
const box = () => document.getElementById("widget");
const ahead = Date.parse(box().dataset.now) - Date.now();
function age() {
  const { grey, hide } = box().dataset, now = Date.now() + Math.max(Math.min(ahead, 60_000), 0);
  for (const row of document.querySelectorAll("[data-at]")) {
    const old = (now - Date.parse(row.dataset.at)) / 1000, count = row.querySelector(".count");
    row.classList.toggle("old", old > grey);
    if (old > hide) count.textContent = count.dataset.none;
  }
}
async function renew() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { credentials: "omit" });
    const found = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("widget");
    if (found) box().replaceChildren(...found.childNodes);
  } catch { /* no connection: age() shows it */ }
  age();
}
age();
setInterval(renew, EVERY_MS);
document.addEventListener("visibilitychange", renew);
