// Draws the charts of a preview with uPlot, whose source stands in front of this one. All words come from the page.
const language = document.documentElement.lang === "en" ? "en-GB" : "de-DE";
const zone = document.documentElement.dataset.zone;
const clock = new Intl.DateTimeFormat(language, { timeZone: zone, hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(language, { timeZone: zone, day: "2-digit", month: "2-digit" });
const month = new Intl.DateTimeFormat(language, { timeZone: zone, month: "2-digit", year: "numeric" });
const whole = new Intl.DateTimeFormat(language, { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
const DAY = 86400, HEIGHT = 190, NARROW = 44;

const asked = location.hash.slice(1);
if (asked === "dark" || asked === "light") document.documentElement.dataset.theme = asked;

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function parts(colour) {
  const hex = colour.length === 4 ? [...colour.slice(1)].map((one) => one + one).join("") : colour.slice(1, 7);
  return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// `share` of a colour upon the surface: opaque, so that stacked areas do not mix
function tint(colour, share) {
  const over = parts(colour), under = parts(token("--surface"));
  return `rgb(${over.map((one, at) => Math.round(one * share + under[at] * (1 - share))).join(" ")})`;
}

function number(value, axis, step) {
  if (value == null) return "–";
  const scaled = value / axis.div;
  let needed = step ? 0 : scaled % 1 ? 2 : 0;
  while (step && needed < 6 && Math.abs((step / axis.div) * 10 ** needed % 1) > 1e-9) needed++;
  const digits = Math.min(step || axis.decimals == null ? needed : axis.decimals, 6);
  const text = scaled.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return axis.prefix + text.replace("-", "−") + axis.suffix;
}

function moments(self, splits, axis, space, step) {
  return splits.map((at) => {
    if (at == null) return "";
    const time = new Date(at * 1000);
    if (step >= 28 * DAY) return month.format(time);
    const text = clock.format(time);
    return step >= DAY || text === "00:00" ? date.format(time) : text;
  });
}

const paths = {
  linear: uPlot.paths.linear(), smooth: uPlot.paths.spline(), after: uPlot.paths.stepped({ align: 1 }),
  before: uPlot.paths.stepped({ align: -1 }), bars: uPlot.paths.bars({ size: [0.8, 60], align: 1 }), points: () => null,
};

function line(one) {
  const filled = one.fill || (one.stacked ? 0.5 : one.path === "bars" ? 0.6 : 0);
  return {
    label: one.name, scale: one.axis, width: one.path === "points" ? 0 : Math.max(one.width, one.path === "bars" ? 1 : 1.5),
    stroke: one.colour, dash: one.dash.length ? one.dash : undefined,
    fill: filled ? () => (one.stacked ? tint(one.colour, Math.max(filled, 0.45)) : one.colour + hex(filled)) : undefined,
    paths: paths[one.path], points: { show: one.points || one.x.length < 2 || undefined, size: 5 },
  };
}

// round on the axis' own scale, whatever it is in the data's unit
const steps = Array.from({ length: 15 }, (_, at) => at - 6).flatMap((power) => [1, 2, 2.5, 5].map((one) => one * 10 ** power));

function hex(share) {
  return Math.round(Math.min(share, 1) * 255).toString(16).padStart(2, "0");
}

function between(axis) {
  return (self, low, high) => {
    if (low == null) [low, high] = [0, 1];
    if (axis.softMin != null) low = Math.min(low, axis.softMin);
    if (axis.softMax != null) high = Math.max(high, axis.softMax);
    const [least, most] = uPlot.rangeNum(low, high, { min: { pad: 0.05, soft: 0, mode: 3 }, max: { pad: 0.08, soft: 0, mode: 3 } });
    return [axis.min ?? least, axis.max ?? most];
  };
}

// thresholds, and events: a line with its number, and a veil for as long as it lasts
function around(data) {
  return (self) => {
    const { ctx, bbox } = self;
    ctx.save();
    ctx.font = `600 ${11 * devicePixelRatio}px system-ui, sans-serif`;
    for (const one of data.lines) {
      const y = self.valToPos(one.at, "y0", true);
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      ctx.strokeStyle = one.colour;
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash(one.dashed ? [8, 6] : []);
      stroke(ctx, bbox.left, y, bbox.left + bbox.width, y);
    }
    let free = -Infinity;
    for (const one of data.marks) {
      const colour = one.colour || token("--accent");
      const x = Math.max(self.valToPos(one.from, "x", true), bbox.left);
      const end = Math.min(self.valToPos(one.to, "x", true), bbox.left + bbox.width);
      if (end > x) {
        ctx.fillStyle = colour + "22";
        ctx.fillRect(x, bbox.top, end - x, bbox.height);
      }
      ctx.strokeStyle = colour;
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([4, 4]);
      stroke(ctx, x, bbox.top, x, bbox.top + bbox.height);
      if (x < free) continue;
      ctx.fillStyle = token("--ink");
      ctx.fillText(one.number, x + 3, bbox.top + 11 * devicePixelRatio);
      free = x + 18 * devicePixelRatio;
    }
    ctx.restore();
  };
}

function stroke(ctx, fromX, fromY, toX, toY) {
  ctx.beginPath();
  ctx.moveTo(fromX, fromY);
  ctx.lineTo(toX, toY);
  ctx.stroke();
}

function tip(data, box) {
  return (self) => {
    const { idx, left, top } = self.cursor;
    if (idx == null || left < 0) { box.hidden = true; return; }
    const rows = data.series.map((one, at) => {
      const values = self.data[at + 1];
      let place = idx;
      while (place > 0 && values[place] == null && one.path !== "bars") place--;
      const value = one.own ? one.own[one.x.indexOf(self.data[0][place])] : values[place];
      return { one, value };
    }).filter(({ value }) => value != null).sort((a, b) => b.value - a.value).slice(0, 12);
    box.replaceChildren(Object.assign(document.createElement("b"), { textContent: whole.format(self.data[0][idx] * 1000) }));
    for (const { one, value } of rows) {
      const row = box.appendChild(document.createElement("div"));
      row.appendChild(document.createElement("i")).style.background = one.colour;
      row.append(`${one.name}: ${number(value, data.axes[one.axis === "y1" ? 1 : 0])}`);
    }
    box.hidden = !rows.length;
    box.style.left = `${Math.min(left + 60, self.width - box.offsetWidth - 4)}px`;
    box.style.top = `${Math.min(top + 16, self.height - box.offsetHeight)}px`;
  };
}

function draw(place) {
  const data = JSON.parse(document.getElementById(place.dataset.chart).textContent);
  const tables = data.series.map((one) => [one.x, one.y]);
  const box = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
  const quiet = () => token("--quiet"), grid = { stroke: () => token("--line"), width: 1 };
  const axis = (one, at) => ({
    scale: `y${at}`, incrs: steps.map((step) => step * one.div), side: at ? 1 : 3, stroke: quiet, grid: at ? { show: false } : grid, ticks: grid,
    font: "12px system-ui, sans-serif",
    size: (self, values) => Math.max(NARROW, ...(values || []).map((text) => 7.6 * (text || "").length + 20)),
    values: (self, splits, index, space, step) => splits.map((value) => number(value, one, step)),
  });
  const size = () => ({ width: place.clientWidth, height: Math.max(place.clientHeight, HEIGHT) });
  const chart = new uPlot({
    ...size(), legend: { show: false }, cursor: { y: false, drag: { x: false, y: false } },
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), zone),
    padding: [14, data.axes.length > 1 ? 8 : 24, 0, 0],
    scales: {
      x: { range: () => [data.from, data.to] },
      ...Object.fromEntries(data.axes.map((one, at) => [`y${at}`, { range: between(one) }])),
    },
    axes: [{ space: 72, stroke: quiet, grid, ticks: grid, font: "12px system-ui, sans-serif", values: moments }, ...data.axes.map(axis)],
    series: [{}, ...data.series.map(line)],
    hooks: { drawClear: [], draw: [around(data)], setCursor: [tip(data, box)] },
  }, uPlot.join(tables), place);
  place.append(box);
  new ResizeObserver(() => chart.setSize(size())).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart.redraw());
  return chart;
}

for (const place of document.querySelectorAll("[data-chart]")) draw(place);
document.documentElement.dataset.drawn = "yes";
document.documentElement.dataset.high = String(Math.ceil(document.documentElement.scrollHeight));
