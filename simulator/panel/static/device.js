// The selected device: how it is, what can be done to it, and its last frames explained.
import { act, api, at, h, hour, how, moment, n, n1, t } from "./base.js";

const body = document.getElementById("chosen-body"), title = document.getElementById("chosen-title");

export class Chosen {
  constructor(onGone) { this.onGone = onGone; this.id = ""; this.seen = 0; }

  async open(town, id, gateways) {
    this.town = town;
    this.id = id;
    this.names = gateways;
    this.seen = -1;
    const device = await api(this.path()).catch(() => null);
    if (!device || this.id !== id) { if (!device) this.close(); return false; }
    this.build(device);
    await this.frames();
    return true;
  }

  close() {
    this.id = "";
    title.textContent = t("Nothing selected");
    body.replaceChildren(h("p.quiet", {}, t("Select a device in the list or on the map.")));
    this.onGone();
  }

  path(...more) { return at("towns", this.town, "devices", this.id, ...more); }

  /** Look again: facts always, frames where there are new ones. */
  async refresh() {
    if (!this.id) return;
    const id = this.id, device = await api(this.path()).catch(() => null);
    if (device && this.id === id) { this.show(device); await this.frames(); }
  }

  build(device) {
    title.textContent = device.name === device.id ? device.id : `${device.name} (${device.id})`;
    this.facts = h("dl.facts");
    this.list = h("div", {});
    this.buttons = {};
    const fault = h("select", { id: "fault" }, device.faults.map((one) => h("option", { value: one }, one ? t(one) : t("works"))));
    this.fault = fault;
    body.replaceChildren(
      h("div.row", {}, this.actions(device)),
      this.facts,
      h("form.form", { onsubmit: (event) => { event.preventDefault(); this.fail(fault.value); } },
        h("label.field", {}, h("span", {}, t("Fault of its own")), fault), h("button.button", {}, t("Let it be so"))),
      h("details", {}, h("summary", {}, t("Send bytes from it")), h("div", {}, this.sending(device))),
      h("h3", {}, t("Last frames")), this.list);
    fault.value = device.fault;
    this.show(device);
  }

  actions(device) {
    const button = (name, text, does) => (this.buttons[name] = h("button.button", { type: "button", onclick: does }, text));
    const made = [
      button("network", "", () => this.do("network", { on: this.apart }, this.apart ? t("It is on the net again.") : t("It is off the net."))),
      button("reboot", t("Restart it"), () => this.do("reboot", undefined, t("It restarts and joins anew.")))];
    if (device.bay) made.push(button("car", "", () => this.do("car", { here: !this.device.bay.taken }, this.device.bay.taken ? t("The car leaves.") : t("A car parks there."))));
    return made;
  }

  sending(device) {
    const port = h("input", { type: "number", min: 1, max: 223, value: device.ports.find((one) => one > 0) ?? 1, required: true });
    const hex = h("input.mono", { type: "text", maxlength: 726, required: true, autocomplete: "off", spellcheck: "false", pattern: "[0-9A-Fa-f ]+" });
    const confirmed = h("input", { type: "checkbox" });
    return h("form.form", {
      onsubmit: (event) => {
        event.preventDefault();
        this.do("send", { port: Number(port.value), hex: hex.value, confirmed: confirmed.checked }, t("It is sent as soon as the air may be used."));
      },
    }, h("label.field", {}, h("span", {}, "FPort"), port), h("label.check", {}, confirmed, t("confirmed")),
    h("label.field.wide", {}, h("span", {}, t("Bytes in hex"), " ", h("span.hint", {}, t("at most {most} now", { most: device.radio.most_bytes }))), hex),
    h("button.button.button--go", {}, t("Send")));
  }

  fail(fault) { return this.do("fault", { fault }, fault ? t("From now on: {fault}.", { fault: t(fault) }) : t("It works again.")); }

  async do(what, asked, said) {
    const device = await act(this.path(what), asked, said);
    if (device && device.id === this.id) { this.show(device); this.frames(); }
  }

  show(device) {
    this.device = device;
    this.apart = device.apart;
    this.buttons.network.textContent = this.apart ? t("Bring it back to the net") : t("Pull it off the net");
    if (this.buttons.car) this.buttons.car.textContent = device.bay.taken ? t("Let the car leave") : t("Park a car");
    const rows = this.rows(device).filter(([, value]) => value !== null);
    this.facts.replaceChildren(...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  }

  rows(device) {
    const { radio, lamp, bay } = device;
    const counters = t("{up} up, {down} down", { up: n(radio.f_cnt_up), down: radio.f_cnt_down === null ? "–" : n(radio.f_cnt_down) });
    const links = radio.links.map((one) => `${this.names.get(one.gateway) ?? one.gateway} ${one.snr_db === null ? `−${n1(one.loss_db)} dB` : `SNR ${n1(one.snr_db)} dB`}`);
    return [
      [t("Now"), how(device)], [t("Fault"), device.fault ? t(device.fault) : t("none")],
      [t("Wanted"), lamp && t("{level} %, by {reason}", { level: lamp.wanted, reason: t(lamp.reason) })],
      [t("Burns"), lamp && t("at {level} %, draws {watts} W", { level: lamp.lit, watts: n1(lamp.power_w) })],
      [t("Its circuit"), lamp && `${device.circuit || "–"}, ${lamp.powered ? t("has power") : t("has no power")}`],
      [t("Meter"), lamp && t("{energy} kWh, {hours} h", { energy: n1(lamp.energy_wh / 1000), hours: n(lamp.burn_h) })],
      [t("Its clock"), lamp && (lamp.clock_valid ? t("is set") : t("is not set"))],
      [t("Vehicle"), bay && (bay.occupied ? t("stands there") : t("none"))],
      [t("Sensor believes"), bay && t(bay.believed ? "taken" : "free")],
      [t("Battery"), radio.battery === null ? null : `${n1(radio.battery)} %`],
      [t("Session"), radio.joined ? t("joined as {address}", { address: radio.dev_addr }) : t("not joined")],
      [t("Data rate"), `DR${radio.dr}${radio.power_dbm === null ? "" : `, ${radio.power_dbm} dBm`}${radio.nb_trans === null ? "" : `, NbTrans ${radio.nb_trans}`}`],
      [t("Counters"), counters], [t("Class"), `${radio.device_class}${radio.confirms ? `, ${t("asks for acknowledgements")}` : ""}`],
      [t("Waiting downlinks"), radio.waiting === null ? null : n(radio.waiting)],
      [t("Gateways in reach"), links.join("; ") || t("none")],
      [t("Model"), device.model], ["DevEUI", h("span.mono", {}, device.dev_eui)], [t("Zone"), device.zone]];
  }

  async frames() {
    const id = this.id, found = await api(`${this.path("frames")}?limit=10`).catch(() => null);
    if (!found || this.id !== id) return;
    const key = found.map((one) => `${one.number}:${one.copies.length}`).join();
    if (key === this.seen) return;
    this.seen = key;
    const open = new Set([...this.list.querySelectorAll("details[open]")].map((one) => one.dataset.number));
    const focus = this.list.contains(document.activeElement) ? document.activeElement.parentElement.dataset.number : null;
    this.list.replaceChildren(...(found.length ? found.map((one) => this.frame(one, open.has(String(one.number))))
      : [h("p.quiet", {}, t("None since the panel began to watch."))]));
    if (focus) this.list.querySelector(`[data-number="${focus}"] > summary`)?.focus();
  }

  frame(one, open) {
    const arrived = one.copies.filter((copy) => !copy.reason).length;
    const fate = one.up ? (arrived ? t("heard by {count}", { count: arrived }) : t("heard by nobody")) : arrived ? t("heard") : t("not heard");
    const what = one.header && !one.header.type.includes("Data") ? one.header.type : one.port === null ? t("MAC only") : `FPort ${one.port}`;
    return h("details.frame", { "data-number": one.number, open },
      h("summary", {}, h("span", {}, h("strong", {}, one.up ? "↑ " : "↓ ", h("span.sr", {}, one.up ? t("Uplink") : t("Downlink")), what),
        ` ${hour(one.at)} `, h("span", { class: arrived ? "ok" : "bad" }, fate))),
      h("div", {}, this.inside(one)));
  }

  inside(one) {
    const facts = [[t("Time"), moment(one.at)]];
    if (one.header) facts.push([t("LoRaWAN"), `${one.header.type}, ${one.header.length} B, MIC ${one.header.mic}`],
      [t("Header"), [one.header.dev_addr && `DevAddr ${one.header.dev_addr}`, ...Object.entries(one.header.facts).map(([key, value]) => (value === "1" ? key : `${key} ${value}`))].filter(Boolean).join(", ") || "–"]);
    if (one.header && !one.header.whole && one.header.dev_addr) facts.push(["", t("It cannot be opened with the device's keys.")]);
    if (one.frequency) facts.push([t("On the air"), `${n1(one.frequency / 1e6)} MHz, ${one.sf ? `SF${one.sf}` : "FSK"}, ${one.bandwidth / 1000} kHz`]);
    if (one.dr !== null) facts.push([t("Data rate"), `DR${one.dr}`]);
    if (one.f_cnt !== null) facts.push([t("Counter"), `${n(one.f_cnt)}${one.confirmed ? `, ${t("confirmed")}` : ""}`]);
    if (one.to_group) facts.push([t("For"), t("a multicast group")]);
    if (one.hex) facts.push([t("Bytes"), h("span.mono", {}, one.hex)]);
    const blocks = [h("dl.facts", {}, facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]))];
    if (one.copies.length) blocks.push(this.table([one.up ? t("Gateway") : t("Way"), "RSSI", "SNR", t("What became of it")], one.copies.map((copy) => [
      copy.gateway ? this.names.get(copy.gateway) ?? copy.gateway : "–", copy.rssi_dbm === null ? "–" : `${copy.rssi_dbm} dBm`,
      copy.snr_db === null ? "–" : `${n1(copy.snr_db)} dB`, copy.reason ? t(copy.reason) : t("arrived")])));
    if (one.commands.length) blocks.push(this.table([t("MAC command"), t("Bytes"), t("Says")], one.commands.map((item) => [
      item.name, item.hex, Object.entries(item.facts).map(([key, value]) => `${key} ${value}`).join(", ")])));
    if (one.fields.length) blocks.push(this.table([t("Byte"), t("Bytes"), t("Field"), t("Value"), t("Meaning")],
      one.fields.map((item) => [item.offset, item.hex, item.name, item.value, item.meaning]), one.fields.map((item) => item.failed), "en"));
    if (one.readings.length) blocks.push(h("p.small", {}, `${t("Says")}: `, one.readings.map((item) => `${item.quantity}${item.channel ? ` ${item.channel}` : ""} = ${item.value} ${item.unit}`.trim()).join(", ")));
    if (one.order) blocks.push(h("p.mono", {}, one.order));
    if (one.problem) blocks.push(h("p.bad.small", {}, `${t("The codec cannot read it:")} `, h("span", { lang: "en" }, one.problem)));
    return blocks;
  }

  /** `lang`: what the platform's codecs and the standard say is English. */
  table(heads, rows, failed = [], lang = null) {
    return h("div.scroll", { tabindex: 0, role: "region", "aria-label": heads.join(", ") }, h("table", {}, h("thead", {}, h("tr", {}, heads.map((one) => h("th", { scope: "col" }, one)))),
      h("tbody", { lang }, rows.map((row, i) => h("tr", { class: failed[i] ? "failed" : null }, row.map((one) => h("td", {}, String(one))))))));
  }
}
