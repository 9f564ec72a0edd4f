// Without a connection: the pages as they were last seen, which say themselves as of when, and grow old by their own script.
// Numbers are never asked of what is kept here while there is a connection.
const PAGES = "parking-pages-1", FILES = "parking-files-1", MOST = 30, PATIENCE_MS = 6_000;
const scope = new URL(self.registration.scope).pathname;
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(tidy().then(() => self.clients.claim())));
self.addEventListener("fetch", (event) => {
  const asked = new URL(event.request.url);
  if (event.request.method !== "GET" || asked.origin !== location.origin) return;
  if (asked.pathname.startsWith("/static/")) event.respondWith(file(event.request));
  else if (event.request.mode === "navigate" && ours(asked.pathname)) event.respondWith(page(event.request));
});
const ours = (path) => path === scope || path.startsWith(`${scope}/`);

async function tidy() {
  for (const name of await caches.keys()) if (name.startsWith("parking-") && ![PAGES, FILES].includes(name)) await caches.delete(name);
}
async function keep(name, request, answer) {
  const kept = await caches.open(name);
  await kept.put(request, answer);
  const all = await kept.keys();
  for (const old of all.slice(0, Math.max(all.length - MOST, 0))) await kept.delete(old);
}
async function file(request) {
  const known = await caches.match(request, { cacheName: FILES });
  if (known) return known;
  const answer = await fetch(request);
  if (answer.ok) await keep(FILES, request, answer.clone());
  return answer;
}
async function page(request) {
  const known = () => caches.match(request, { cacheName: PAGES });
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.ok && answer.type === "basic" && !answer.redirected) await keep(PAGES, request, answer.clone());
    return answer.status >= 502 ? (await known()) ?? answer : answer;
  } catch (error) {
    const kept = await known();
    if (kept) return kept;
    throw error;
  }
}
