// Reading a pole's label with the camera, where the browser itself can read codes; elsewhere nothing of it is shown.
// What a label says is anybody's: only a pole's number is taken from it, and only this page is asked for it.
const FORMATS = ["qr_code", "data_matrix", "code_128"], EVERY_MS = 200, MOST = 80;
const box = document.getElementById("scan");
let stream;

// The pole's number in what a label says: the last word of an address, or its ?nr=, or the text itself; "" for all else.
export function poleOf(text) {
  const said = text.trim().slice(0, 2000);
  const number = /^[a-z][a-z0-9+.-]*:\/\//i.test(said) ? ofAddress(said) : said;
  return number.length <= MOST && /^[\p{L}\p{N}](?:[\p{L}\p{N} ._/-]*[\p{L}\p{N}])?$/u.test(number) ? number : "";
}

function ofAddress(text) {
  try {
    const address = new URL(text);
    if (!["http:", "https:"].includes(address.protocol)) return "";
    return (address.searchParams.get("nr") ?? decodeURIComponent(address.pathname.split("/").filter(Boolean).at(-1) ?? "")).trim();
  } catch {
    return "";  // no address that anybody could read
  }
}

async function readable() {
  if (!box || !("BarcodeDetector" in globalThis) || !navigator.mediaDevices?.getUserMedia) return [];
  const known = await BarcodeDetector.getSupportedFormats();
  return known.includes("qr_code") ? FORMATS.filter((one) => known.includes(one)) : [];
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = undefined;
  box.querySelector("video").srcObject = null;
  box.querySelector("[data-view]").hidden = true;
  box.querySelector("[data-scan]").hidden = false;
}

async function look(detector, video, said) {
  if (!stream) return;
  const found = await detector.detect(video).catch(() => []);  // a frame that is not there yet
  const numbers = found.map((one) => poleOf(one.rawValue));
  const number = numbers.find(Boolean);
  if (number) {
    stop();
    location.assign(`${location.pathname}?${new URLSearchParams({ nr: number })}`);
    return;
  }
  if (numbers.length) said.textContent = said.dataset.strange;
  setTimeout(() => look(detector, video, said), EVERY_MS);
}

async function scan(formats) {
  const said = box.querySelector("[data-said]"), video = box.querySelector("video");
  said.textContent = "";
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    said.textContent = said.dataset.refused;
    return;
  }
  box.querySelector("[data-scan]").hidden = true;
  box.querySelector("[data-view]").hidden = false;
  video.srcObject = stream;
  await video.play();
  box.querySelector("[data-stop]").focus();
  look(new BarcodeDetector({ formats }), video, said);
}

const formats = await readable().catch(() => []);
if (formats.length) {
  box.hidden = false;
  box.querySelector("[data-scan]").addEventListener("click", () => scan(formats));
  box.querySelector("[data-stop]").addEventListener("click", () => { stop(); box.querySelector("[data-scan]").focus(); });
  addEventListener("pagehide", stop);
}
