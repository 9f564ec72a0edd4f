// What all parts of the page need: words, elements, the API and its token.
const texts = JSON.parse(document.getElementById("texts").textContent);
export const language = document.documentElement.lang;
const writing = language === "en" ? "en-GB" : language;
const whole = new Intl.NumberFormat(writing, { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat(writing, { maximumFractionDigits: 1 });
const share = new Intl.NumberFormat(writing, { style: "percent", maximumFractionDigits: 1 });
const timeZone = "Europe/Berlin"; // the towns', wherever the browser is
const clock = new Intl.DateTimeFormat(writing, { timeZone, hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(writing, { timeZone, weekday: "short", day: "2-digit", month: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** The sentence in the page's language, its {named} places filled in. */
export const t = (text, facts = {}) => (texts[text] ?? text).replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? "");
export const n = (value) => (value === null || value === undefined ? "–" : whole.format(value));
export const n1 = (value) => (value === null || value === undefined ? "–" : fine.format(value));
export const percent = (value) => share.format(value);
export const hour = (iso) => clock.format(new Date(iso));
export const moment = (iso) => day.format(new Date(iso));

/** An element; attributes that are functions listen, `false` and null are left out. */
export function h(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const made = document.createElement(tag || "div");
  if (classes.length) made.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";
export function s(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
export const symbol = (name) => s("use", { href: `#s-${name}`, x: -8, y: -8, width: 16, height: 16 });
export const sign = (thing) => {
  const drawn = s("svg", { viewBox: "-10 -10 20 20", "aria-hidden": "true" }, symbol(thing.does));
  if (thing.mark) drawn.append(symbol(thing.mark));
  return drawn;
};
export const how = (thing) => {
  const said = thing.does === "burning" ? t("burns at {level} %", { level: thing.level }) : t(thing.does);
  return thing.mark ? `${said}, ${t(thing.mark)}` : said;
};

export function say(text) { document.getElementById("wrong").textContent = ""; document.getElementById("said").textContent = text; }
export function complain(text) { document.getElementById("said").textContent = ""; document.getElementById("wrong").textContent = text; }

let token = "";
try { token = sessionStorage.getItem("panel-token") ?? ""; } catch { /* no storage: for this page only */ }
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) history.replaceState(null, "", location.pathname + location.search);
export const hasToken = () => Boolean(token);
export function useToken(text) {
  token = text;
  try { sessionStorage.setItem("panel-token", text); } catch { /* as above */ }
  document.getElementById("key").hidden = Boolean(text);
}
useToken(given ?? token);

/** What the API answers; a refusal is an Error with its sentence. */
export async function api(path, { method = "GET", body = undefined } = {}) {
  const headers = { Accept: "application/json", "Accept-Language": language };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && token) headers.Authorization = `Bearer ${token}`;
  let answer;
  try {
    answer = await fetch(`/api${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store" });
  } catch {
    throw new Error(t("The simulator does not answer. Is it still running?"));
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 401) { useToken(""); document.getElementById("token").focus(); }
  throw new Error(problem.detail ?? t("The simulator refuses this ({status}).", { status: answer.status }));
}

/** Do something that changes the town, and say how it went. */
export async function act(path, body, said, method = "POST") {
  try {
    const answer = await api(path, { method, body });
    say(said);
    return answer ?? true;
  } catch (error) {
    complain(error.message);
    return null;
  }
}
export const at = (...parts) => `/${parts.map(encodeURIComponent).join("/")}`;
