// What concerns the whole town: circuits, lots, gateways, weather, and faults.
import { act, api, at, h, n, n1, percent, t } from "./base.js";

const part = (name) => document.querySelector(`[data-part="${name}"]`);
const inside = (name) => part(name).querySelector(":scope > div");

export class Whole {
  constructor(onGateways) {
    this.onGateways = onGateways;
    this.gatewayList = [];
    for (const name of ["circuits", "lots", "gateways", "weather", "start"]) part(name).addEventListener("toggle", () => this.look(name));
  }

  async open(town) {
    this.town = town;
    this.shown = {};
    inside("start").replaceChildren();
    await this.look("gateways", true);
    for (const name of ["circuits", "lots", "weather", "start"]) await this.look(name);
  }

  path(...more) { return at("towns", this.town, ...more); }

  async look(name, always = false) {
    if (!always && !part(name).open) return;
    await this[name]().catch(() => null);
  }

  async refresh() {
    for (const name of ["circuits", "lots"]) await this.look(name);
    await this.look("gateways", true);
  }

  /** Lines by id; those that stay keep their elements, and with them the focus. */
  lines(name, items, make, update, empty) {
    const shown = (this.shown[name] ??= { list: h("ul.lines"), rows: new Map() });
    for (const [id, row] of shown.rows) if (!items.some((one) => one.id === id)) { row.element.remove(); shown.rows.delete(id); }
    for (const one of items) {
      let row = shown.rows.get(one.id);
      if (!row) { row = make(one); shown.rows.set(one.id, row); shown.list.append(row.element); }
      update(row, one);
    }
    if (items.length) { if (!shown.list.isConnected) inside(name).replaceChildren(shown.list); }
    else inside(name).replaceChildren(h("p.quiet.small", {}, empty));
  }

  async circuits() {
    this.lines("circuits", await api(this.path("circuits")), (one) => {
      const row = { text: h("span.grow"), button: h("button.button", { type: "button" }) };
      row.button.addEventListener("click", async () => {
        const said = row.on ? t("{name} has no power.", { name: one.id }) : t("{name} has power again.", { name: one.id });
        if (await act(this.path("circuits", one.id, "power"), { on: !row.on }, said)) this.circuits();
      });
      row.element = h("li", {}, row.text, row.button);
      return row;
    }, (row, one) => {
      row.on = one.powered === one.lamps;
      row.text.textContent = t("{name}: {burning} of {lamps} burn", { name: one.id, burning: n(one.burning), lamps: n(one.lamps) }) + (row.on ? "" : `, ${t("without power: {count}", { count: n(one.lamps - one.powered) })}`);
      row.button.textContent = row.on ? t("Cut") : t("Restore");
      row.button.setAttribute("aria-label", `${row.button.textContent}: ${one.id}`);
    }, t("There are none."));
  }

  async lots() {
    this.lines("lots", await api(this.path("lots")), (one) => {
      const row = { text: h("span.grow"), button: h("button.button", { type: "button", "aria-label": `${t("Rush")}: ${one.id}` }, t("Rush")) };
      row.button.addEventListener("click", async () => {
        if (await act(this.path("lots", one.id, "rush"), { factor: 10, minutes: 30 }, t("{name}: ten times as many cars for half an hour.", { name: one.id }))) this.lots();
      });
      row.element = h("li", {}, row.text, row.button);
      return row;
    }, (row, one) => { row.text.textContent = t("{name}: {taken} of {bays} taken", { name: one.id, taken: n(one.taken), bays: n(one.bays) }); }, t("There are none."));
  }

  async gateways() {
    this.gatewayList = await api(this.path("gateways"));
    this.onGateways(this.gatewayList); // the map and the frames name them, too
    this.lines("gateways", this.gatewayList, (one) => {
      const row = { text: h("span.grow"), button: h("button.button", { type: "button" }), uses: h("div.grow") };
      row.button.addEventListener("click", async () => {
        const said = row.down ? t("{name} is on the net again.", { name: one.name }) : t("{name} is off the net.", { name: one.name });
        if (await act(this.path("gateways", one.id, "power"), { on: row.down }, said)) this.gateways();
      });
      row.element = h("li", {}, row.text, row.button, row.uses);
      return row;
    }, (row, one) => {
      row.down = one.down;
      row.text.textContent = `${one.name} (${one.down ? t("down") : t("up")}${one.clock_s ? `, ${t("clock off by {seconds} s", { seconds: n1(one.clock_s) })}` : ""}${one.waiting ? `, ${t("{count} waiting", { count: n(one.waiting) })}` : ""})`;
      row.button.textContent = one.down ? t("Bring up") : t("Take down");
      row.button.setAttribute("aria-label", `${row.button.textContent}: ${one.name}`);
      row.uses.replaceChildren(...one.bands.map((band) => h("div.use", {}, h("span", {}, `${n1(band.low / 1e6)}–${n1(band.high / 1e6)} MHz`),
        h("meter", { min: 0, max: 1, high: 0.8, value: Math.min(band.used_s / band.most_s, 1), "aria-label": t("Airtime used in band {name}", { name: band.name }) }),
        h("span", {}, `${n1(band.used_s)} / ${n(band.most_s)} s (${percent(band.used_s / band.most_s)})`))));
    }, t("There are none."));
  }

  async weather() {
    const now = await api(this.path("weather"));
    const field = (name, text, step, most) => h("label.field", {}, h("span", {}, text), h("input", { type: "number", name, min: 0, max: most, step, value: now.mine[name], required: true }));
    inside("weather").replaceChildren(
      h("p.small.quiet", {}, t("In force: {loss} of frames lost, {attenuation} dB weaker, {noise} dB more noise, {jammers} jammers.", { loss: percent(now.loss), attenuation: n1(now.attenuation_db), noise: n1(now.noise_db), jammers: n(now.jammers) })),
      h("form.form", {
        onsubmit: async (event) => {
          event.preventDefault();
          const asked = Object.fromEntries([...new FormData(event.target)].map(([key, value]) => [key, Number(value)]));
          if (await act(this.path("weather"), asked, t("The weather has changed."))) this.weather();
        },
      }, field("loss", t("Share of frames lost (0 to 1)"), 0.01, 1), field("attenuation_db", t("Attenuation, dB"), 0.5, 60), field("noise_db", t("Noise, dB"), 0.5, 60), h("button.button.button--go", {}, t("Let it be so"))));
  }

  faults(running) {
    document.getElementById("n-faults").textContent = n(running.length);
    this.lines("faults", running.map((one) => ({ ...one, id: one.number })), (one) => {
      const name = [t(one.kind), Object.entries(one.facts).map(([key, value]) => `${t(key)} ${value}`).join(", ")].filter(Boolean).join(": ");
      const button = h("button.button", { type: "button", "aria-label": `${t("End")}: ${name}` }, t("End"));
      button.addEventListener("click", () => act(this.path("faults", one.number), undefined, t("It is over: {name}.", { name }), "DELETE"));
      return { element: h("li", {}, h("span.grow", {}, name), button) };
    }, () => null, t("None."));
  }

  async start() {
    if (inside("start").childElementCount) return;
    const [kinds, circuits, lots] = await Promise.all([api("/fault-kinds"), api(this.path("circuits")), api(this.path("lots"))]);
    const known = { circuit: circuits.map((one) => one.id), zone: lots.map((one) => one.id), gateway: this.gatewayList.map((one) => one.name) };
    const lists = Object.entries(known).map(([key, ids]) => h("datalist", { id: `known-${key}` }, ids.map((id) => h("option", { value: id }))));
    const kind = h("select", { id: "fault-kind" }, kinds.map((one) => h("option", { value: one.kind }, t(one.kind))));
    const fields = h("div.form.wide");
    const draw = () => fields.replaceChildren(...kinds.find((one) => one.kind === kind.value).fields.map((one) => this.input(one)));
    kind.addEventListener("change", draw);
    draw();
    inside("start").replaceChildren(...lists, h("form.form", {
      onsubmit: async (event) => {
        event.preventDefault();
        const asked = { kind: kind.value };
        for (const input of fields.querySelectorAll("[name]")) {
          const value = this.value(input);
          if (value !== null) asked[input.name] = value;
        }
        await act(this.path("faults"), asked, t("It begins: {name}.", { name: t(kind.value) }));
      },
    }, h("label.field.wide", {}, h("span", {}, t("Kind")), kind), fields, h("button.button.button--go", {}, t("Start it now"))));
  }

  input(field) {
    const facts = { name: field.name, "data-type": field.type, required: field.needed };
    const hint = field.type === "period" ? t("as 90 s or 10 min") : field.type === "point" ? t("metres east, north") : "";
    const text = h("span", {}, t(field.name), " ", h("span.hint", {}, hint));
    if (field.type === "yes-no") return h("label.check", {}, h("input", { ...facts, type: "checkbox", required: false, checked: Boolean(field.default) }), t(field.name));
    if (field.type === "choice") return h("label.field", {}, text, h("select", facts, field.choices.map((one) => h("option", { value: one, selected: one === field.default }, one ? t(one) : t("all")))));
    if (field.type === "number" || field.type === "whole") return h("label.field", {}, text, h("input", { ...facts, type: "number", min: field.least, max: field.most, step: field.type === "whole" ? 1 : "any", value: field.default }));
    const value = field.type === "point" ? (field.default ?? [0, 0]).join(", ") : field.default;
    return h("label.field", {}, text, h("input", { ...facts, type: "text", value, maxlength: 64, list: `known-${field.name}`, autocomplete: "off" }));
  }

  value(input) {
    if (input.type === "checkbox") return input.checked;
    if (input.value === "") return null;
    if (input.dataset.type === "number" || input.dataset.type === "whole") return Number(input.value);
    if (input.dataset.type === "point") return input.value.split(",").map(Number);
    return input.value;
  }
}
