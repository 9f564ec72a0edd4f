// The inbox renews itself when the town says that something has changed; focus and what one is doing stay where they are.
const box = document.getElementById("inbox");
const live = document.getElementById("live");
const SOON_MS = 1500, NOW_AND_THEN_MS = 30_000, AGAIN_MS = 10_000;
let timer, last = Date.now();

async function renew() {
  timer = undefined;
  last = Date.now();
  if (document.hidden || box.contains(document.activeElement)) return wait(SOON_MS * 4);
  const answer = await fetch(location.href, { headers: { "HX-Request": "true", "HX-Target": "inbox" } }).catch(() => undefined);
  if (!answer?.ok || answer.redirected) return;
  const text = await answer.text();
  const before = box.querySelectorAll(".incident").length;
  box.innerHTML = text;
  if (box.querySelectorAll(".incident").length !== before) live.textContent = live.dataset.changed;
}

function wait(ms) {
  timer ??= setTimeout(renew, ms);
}

function listen() {
  const source = new EventSource(document.body.dataset.events);
  source.addEventListener("alarms", () => wait(SOON_MS));
  source.addEventListener("revision", () => { if (Date.now() - last > NOW_AND_THEN_MS) wait(SOON_MS); });
  source.addEventListener("reload", () => location.reload());
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS); };
}

listen();
