// Charts over uPlot (assets/uplot.js, a classic script: it defines the global `uPlot`).
//
// In: columns of numbers. Out: a figure that is always in one of the states loading, empty, error,
// shown, stale, with a table for who cannot see it. Guarantee: the figure keeps its height in every
// state; colours are the style sheet's, also after a change of theme; numbers are the language's.
//
//   const chart = new Chart(element, {label: "Score", unit: "", time: true});
//   chart.show({x: [...seconds], lines: [{name, values}], band: {name, low, high},
//               threshold: {name, value}}, {staleSince: null});

import { clock, compact, el, moment, number, reading, shortDate, t, withUnit } from "./page.js";

const TABLE_ROWS_MAX = 48; // more is read by nobody; the JSON has all
const DAY_S = 86400;
const DAY_STEPS = [1, 2, 7, 14, 28, 56, 91, 182, 364].map((days) => days * DAY_S); // a label a day, never two

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Chart {
  /** `kind`: "line" or "bars"; `time`: x is seconds since 1970; `low`: a flat one. */
  constructor(place, { label, unit = "", xLabel = "", xUnit = "", kind = "line", time = true, low = false }) {
    Object.assign(this, { place, label, unit, xLabel, xUnit, kind, time });
    this.area = el("div", { class: low ? "chart-area low" : "chart-area" });
    this.note = el("div", { class: "chart-note", role: "status" });
    this.key = el("div", { class: "chart-key" });
    this.table = el("table");
    const more = el("details", {}, el("summary", {}, t("chart.as_table")), el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": label }, this.table));
    place.classList.add("chart");
    this.area.append(this.note);
    place.replaceChildren(this.key, this.area, more);
    this.loading();
    new ResizeObserver(() => this.#size()).observe(this.area);
    document.addEventListener("themechange", () => this.data && this.#draw());
  }

  loading() { this.#state("loading", t("chart.loading")); }

  empty(text = t("chart.empty")) {
    this.#clear();
    this.#state("empty", text);
  }

  /** `again` is called by the button that is shown with it. */
  error(text, again = null) {
    this.#clear();
    this.#state("error", text);
    if (!again) return;
    const button = el("button", { type: "button", class: "do" }, t("chart.again"));
    button.addEventListener("click", () => { this.loading(); again(); });
    this.note.append(button);
  }

  show(data, { staleSince = null } = {}) {
    if (!data.x.length) return this.empty();
    this.data = data;
    this.#state(staleSince === null ? "shown" : "stale", "");
    this.#draw();
    this.#legend(staleSince);
    this.#rows();
  }

  #state(state, text) {
    this.place.dataset.state = state;
    this.note.replaceChildren(text);
  }

  #clear() {
    this.data = null;
    this.plot?.destroy();
    this.plot = null;
    this.key.replaceChildren();
    this.table.replaceChildren();
  }

  #size() {
    const { clientWidth: width, clientHeight: height } = this.area;
    if (this.plot && width) this.plot.setSize({ width, height });
  }

  #columns() {
    const { x, lines, band, threshold } = this.data;
    const columns = [x];
    const series = [{}];
    if (band) {
      columns.push(band.high, band.low);
      series.push({ stroke: "transparent", points: { show: false } }, { stroke: "transparent", points: { show: false } });
    }
    lines.forEach((line, index) => {
      columns.push(line.values);
      const ink = colour(index === 0 ? "--accent" : "--other");
      series.push(this.kind === "bars"
        ? { stroke: ink, fill: ink, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.7, 60] }) }
        : { stroke: ink, width: 2, spanGaps: false, points: { show: x.length < 40, size: 6 } });
    });
    if (threshold) {
      columns.push(x.map(() => threshold.value));
      series.push({ stroke: colour("--alarm"), width: 2, dash: [8, 6], points: { show: false } });
    }
    return { columns, series };
  }

  #draw() {
    const { columns, series } = this.#columns();
    const { x, band } = this.data;
    const wide = x[x.length - 1] - x[0] > 2 * DAY_S;
    const axis = { stroke: colour("--quiet"), font: "12px system-ui, sans-serif", grid: { stroke: colour("--edge"), width: 1 }, ticks: { stroke: colour("--edge"), width: 1 } };
    const xValue = (value) => (this.time ? (wide ? shortDate(value) : clock(value)) : number(value, Number.isInteger(value) ? 0 : 1));
    const steps = (splits) => {
      const step = splits.length > 1 ? Math.abs(splits[1] - splits[0]) : 1;
      const digits = [0, 1, 2].find((some) => Math.abs(step * 10 ** some - Math.round(step * 10 ** some)) < 1e-6);
      return splits.map((value) => step >= 1000 ? compact(value) : number(value, digits ?? 3));
    };
    this.plot?.destroy();
    this.plot = new uPlot({
      width: this.area.clientWidth || 300,
      height: this.area.clientHeight,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { x: { time: this.time, range: this.kind === "bars" ? (_, low, high) => [low - 0.5, high + 0.5] : undefined }, y: { range: (_, low, high) => padded(low, high, this.kind === "bars") } },
      axes: [
        { ...axis, space: 64, size: 32, values: (_, splits) => splits.map((value) => this.kind === "bars" ? (this.data.labels?.[value] ?? "") : xValue(value)), ...(this.kind === "bars" ? { incrs: [1] } : this.time && wide ? { incrs: DAY_STEPS } : {}) },
        { ...axis, size: (_, values) => Math.max(48, 18 + 7 * Math.max(0, ...(values ?? []).map((one) => one.length))), values: (_, splits) => steps(splits) },
      ],
      series,
      bands: band ? [{ series: [1, 2], fill: colour("--band") }] : [],
      hooks: { setCursor: [(plot) => this.#point(plot.cursor.idx)] },
    }, columns, this.area);
    this.plot.root.setAttribute("aria-hidden", "true");
  }

  #legend(staleSince) {
    const { lines, band, threshold } = this.data;
    this.point = el("output", { "aria-hidden": "true" });
    this.key.replaceChildren(
      ...lines.map((line, index) => el("span", { "data-kind": index ? "other" : "line" }, line.name)),
      ...(band ? [el("span", { "data-kind": "band" }, band.name)] : []),
      ...(threshold ? [el("span", { "data-kind": "threshold" }, threshold.name)] : []),
      ...(staleSince === null ? [] : [el("strong", {}, t("chart.stale", { when: moment(staleSince) }))]),
      this.point,
    );
  }

  #point(index) {
    if (index === null || index === undefined || !this.data) return;
    const value = this.data.lines[0].values[index];
    this.point.textContent = value === null || value === undefined ? "" : `${this.#at(index)}: ${withUnit(value, this.unit)}`;
  }

  #at(index) {
    if (this.kind === "bars") return this.data.labels?.[index] ?? "";
    const value = this.data.x[index];
    return this.time ? moment(value) : withUnit(value, this.xUnit, 0);
  }

  #rows() {
    const { x, lines, band } = this.data;
    const step = Math.ceil(x.length / TABLE_ROWS_MAX);
    const names = [this.time ? t("chart.time") : this.xLabel, ...lines.map((line) => line.name), ...(band ? [band.name] : [])];
    const head = el("thead", {}, el("tr", {}, ...names.map((name, index) => el("th", { scope: "col", class: index ? "number" : null }, name))));
    const body = el("tbody");
    for (let index = 0; index < x.length; index += step) {
      const cells = lines.map((line) => line.values[index]).map((value) => value === null ? "–" : withUnit(value, this.unit));
      if (band) cells.push(band.low[index] === null ? "–" : `${reading(band.low[index])} – ${withUnit(band.high[index], this.unit)}`);
      body.append(el("tr", {}, el("th", { scope: "row" }, this.#at(index)), ...cells.map((cell) => el("td", { class: "number" }, cell))));
    }
    this.table.replaceChildren(el("caption", { class: "unseen" }, this.label), head, body);
  }
}

function padded(low, high, fromZero) {
  if (low === null || high === null) return [0, 1];
  const room = (high - low || Math.abs(high) || 1) * 0.1;
  return [fromZero ? Math.min(0, low - room) : low - room, high + room];
}

/** Own value on the scale of many homes, or those alone if `own` is undefined: `{label, unit, own, p25, median, p75, low, high, n}`. */
export function rangeBar(place, { label, unit = "", digits = 1, own, p25, median, p75, low, high, n }) {
  const known = [own, p25, median, p75, low, high].filter((value) => Number.isFinite(value));
  const room = (Math.max(...known) - Math.min(...known) || 1) * 0.08;
  const [from, to] = [Math.min(...known) - room, Math.max(...known) + room];
  const at = (value) => `${((value - from) / (to - from)) * 100}%`;
  const bar = el("div", { class: "range-bar", "aria-hidden": "true" });
  const mark = (name, left, width = null) => {
    const made = el("span", { class: name });
    made.style.left = left;
    if (width) made.style.width = width;
    bar.append(made);
  };
  const isFinite = Number.isFinite;
  if (isFinite(p25) && isFinite(p75)) mark("range-mid", at(p25), `${((p75 - p25) / (to - from)) * 100}%`);
  if (isFinite(median)) mark("range-median", at(median));
  if (isFinite(own)) mark("range-own", at(own));
  const value = (one) => withUnit(one, unit, digits);
  place.classList.add("range");
  place.replaceChildren(
    el("div", { class: "range-head" }, el("span", {}, label), el("strong", {}, isFinite(own) ? value(own) : own === undefined ? value(median) : t("range.no_own"))),
    bar,
    el("div", { class: "range-foot" },
      el("span", {}, isFinite(p25) ? t("range.p25", { value: value(p25) }) : ""),
      el("span", {}, t("range.median", { value: value(median) })),
      el("span", {}, isFinite(p75) ? t("range.p75", { value: value(p75) }) : "")),
    el("p", { class: "quiet" }, t("range.homes", { n: number(n) })),
  );
}

/** A labelled progress bar: `{label, value, goal}`. */
export function meter(place, { label, value, goal, digits = 0 }) {
  const name = `${label}: ${number(value, digits)} / ${number(goal, digits)}`;
  const bar = el("progress", { max: goal || 1, value: Math.min(value, goal || 1), "aria-label": name });
  place.classList.add("meter");
  place.replaceChildren(
    el("span", {}, el("span", {}, label), el("strong", {}, t("meter.of", { value: number(value, digits), goal: number(goal, digits) }))),
    bar,
  );
}
