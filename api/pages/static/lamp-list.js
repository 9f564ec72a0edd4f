// The list of lamps: as many as are found, of which only those in sight are in the page. All of it works by keyboard: arrows
// move, Space chooses, Shift widens, Ctrl+A takes all found, Enter opens the lamp's page.
const SPARE = 8;

export class LampList {
  constructor(box, store, words) {
    this.box = box;
    this.store = store;
    this.words = words;
    this.grid = box.querySelector("[role=grid]");
    this.body = box.querySelector(".grid__body");
    this.canvas = box.querySelector(".grid__canvas");
    this.pattern = box.querySelector("template").content.firstElementChild;
    this.rows = new Map();
    this.active = this.anchor = -1;
    this.now = Date.now() / 1000;
    this.number = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });
    this.body.addEventListener("scroll", () => this.#draw(), { passive: true });
    new ResizeObserver(() => { this.#measure(); this.#draw(); }).observe(this.body);
    this.grid.addEventListener("keydown", (event) => this.#key(event));
    this.grid.addEventListener("focus", () => { if (this.active < 0 && this.store.found.length) this.#go(0, false); });
    this.canvas.addEventListener("click", (event) => this.#click(event));
    store.addEventListener("found", () => this.refind());
    store.addEventListener("chosen", () => this.#draw());
    store.addEventListener("heard", (event) => { for (const lamp of event.lamps) { const row = this.rows.get(lamp.id); if (row) this.#fill(row, lamp); } });
    setInterval(() => { this.now = Date.now() / 1000; this.#draw(); }, 30_000);
    this.#measure();
    this.refind();
  }

  refind() {
    this.active = this.anchor = -1;
    this.grid.removeAttribute("aria-activedescendant");
    this.grid.setAttribute("aria-rowcount", String(this.store.found.length + 1));
    this.canvas.style.height = `${this.store.found.length * this.height}px`;
    this.box.querySelector("[data-none]").hidden = this.store.found.length > 0;
    this.#draw();
  }

  #measure() {
    this.height = parseFloat(getComputedStyle(this.box).getPropertyValue("--row")) || 56;
    this.canvas.style.height = `${this.store.found.length * this.height}px`;
  }

  #draw() {
    const { found } = this.store;
    const first = Math.max(Math.floor(this.body.scrollTop / this.height) - SPARE, 0);
    const last = Math.min(first + Math.ceil(this.body.clientHeight / this.height) + 2 * SPARE, found.length);
    const wanted = new Set();
    for (let n = first; n < last; n += 1) wanted.add(found[n].id);
    if (this.active >= 0 && found[this.active]) wanted.add(found[this.active].id);
    for (const [id, row] of this.rows) if (!wanted.has(id)) { row.remove(); this.rows.delete(id); }
    const place = (n) => {
      const lamp = found[n];
      let row = this.rows.get(lamp.id);
      if (!row) { row = this.pattern.cloneNode(true); this.rows.set(lamp.id, row); this.canvas.append(row); }
      row.id = `row-${lamp.n}`;
      row.dataset.lamp = lamp.id;
      row.dataset.at = n;
      row.setAttribute("aria-rowindex", String(n + 2));
      row.style.transform = `translateY(${n * this.height}px)`;
      this.#fill(row, lamp);
    };
    for (let n = first; n < last; n += 1) place(n);
    if (this.active >= 0 && (this.active < first || this.active >= last) && found[this.active]) place(this.active);
  }

  #fill(row, lamp) {
    const { words } = this, chosen = this.store.chosen.has(lamp.id);
    row.setAttribute("aria-selected", String(chosen));
    row.classList.toggle("chosen", chosen);
    row.classList.toggle("differs", lamp.word === "deviates");
    row.classList.toggle("active", Number(row.dataset.at) === this.active);
    const set = (name, text, title = "") => {
      const cell = row.querySelector(`[data-${name}]`);
      if (cell.textContent !== text) cell.textContent = text;
      if (title) cell.title = title;
    };
    const link = row.querySelector("a");
    if (link.textContent !== lamp.name) { link.textContent = lamp.name; link.href = words.page.replace("%23", encodeURIComponent(lamp.id)); }
    set("where", lamp.name === lamp.id ? lamp.zoneName : `${lamp.id} · ${lamp.zoneName}`);
    set("target", `${lamp.target} %`);
    set("why", lamp.over ? `${words.override} ${this.#until(lamp.until)}` : "");
    set("level", lamp.level < 0 ? "?" : `${lamp.level} %`);
    set("level-at", this.#age(lamp.levelAt));
    set("power", lamp.power < 0 ? "?" : `${this.number.format(lamp.power)} W`);
    set("power-at", this.#age(lamp.powerAt));
    row.querySelector("[data-power]").classList.toggle("before", lamp.powerAt > 0 && lamp.powerAt < lamp.levelAt);
    if (row.dataset.word !== lamp.word) {
      row.dataset.word = lamp.word;
      row.querySelector("[data-word]").replaceChildren(document.getElementById(`word-${lamp.word}`).content.cloneNode(true));
    }
  }

  #until(at) {
    return at ? new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", timeZone: "Europe/Berlin" }).format(at * 1000) : "";
  }

  #age(at) {
    if (!at) return "";
    const minutes = Math.max(Math.floor((this.now + this.words.ahead - at) / 60), 0);
    const word = minutes < 1 ? this.words.now : minutes < 60 ? this.words.min : minutes < 2880 ? this.words.hours : this.words.days;
    return word.replace("#", String(minutes < 60 ? minutes : minutes < 2880 ? Math.floor(minutes / 60) : Math.floor(minutes / 1440)));
  }

  #go(n, widen) {
    const { found } = this.store;
    const to = Math.min(Math.max(n, 0), found.length - 1);
    if (to < 0) return;
    const top = to * this.height;
    if (top < this.body.scrollTop) this.body.scrollTop = top;
    else if (top + this.height > this.body.scrollTop + this.body.clientHeight) this.body.scrollTop = top + this.height - this.body.clientHeight;
    this.active = to;
    if (!widen) this.anchor = to;
    this.#draw();
    this.grid.setAttribute("aria-activedescendant", `row-${found[to].n}`);
    if (widen) this.#range(to);
  }

  #range(to) {
    const [low, high] = [Math.min(this.anchor, to), Math.max(this.anchor, to)];
    this.store.choose(this.store.found.slice(low, high + 1).map((lamp) => lamp.id));
  }

  #key(event) {
    if (event.target.closest("a") && event.key === "Enter") return;
    const page = Math.max(Math.floor(this.body.clientHeight / this.height) - 1, 1), last = this.store.found.length - 1;
    const steps = { ArrowDown: this.active + 1, ArrowUp: this.active - 1, PageDown: this.active + page, PageUp: this.active - page, Home: 0, End: last };
    if (event.key in steps) this.#go(steps[event.key], event.shiftKey);
    else if (event.key === " " && this.active >= 0) event.shiftKey ? this.#range(this.active) : this.store.choose([this.store.found[this.active].id], "toggle");
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) this.store.chooseFound();
    else if (event.key === "Escape" && this.store.chosen.size) this.store.clear();
    else if (event.key === "Enter" && this.active >= 0) this.rows.get(this.store.found[this.active].id).querySelector("a").click();
    else return;
    event.preventDefault();
  }

  #click(event) {
    const row = event.target.closest("[role=row]");
    if (!row || event.target.closest("a")) return;
    const n = Number(row.dataset.at);
    if (event.shiftKey && this.anchor >= 0) { this.active = n; this.#range(n); getSelection()?.removeAllRanges(); return; }
    this.active = this.anchor = n;
    this.grid.setAttribute("aria-activedescendant", row.id);
    this.store.choose([row.dataset.lamp], "toggle");
  }
}
