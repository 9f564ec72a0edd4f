// The lamp at the pole shows what it says as it says it: the page's part is fetched anew when the town reports a change.
const { events, asset } = document.body.dataset;
let waiting;

async function renew() {
  waiting = undefined;
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("pole");
  const pole = document.getElementById("pole");
  if (!fresh || pole.contains(document.activeElement) && document.activeElement.tagName === "BUTTON") return pole.querySelector(".three--big")?.replaceWith(fresh?.querySelector(".three--big") ?? "");
  pole.replaceWith(fresh);
}

const soon = () => { waiting ??= setTimeout(renew, 500); };
const source = new EventSource(events);
source.addEventListener("lamps", (event) => { if (JSON.parse(event.data).lamps.some((lamp) => lamp.id === asset)) soon(); });
source.addEventListener("alarms", (event) => { if (JSON.parse(event.data).alarms.some((alarm) => alarm.asset === asset)) soon(); });
