// The public page of the pool.
//
// In: /api/v1/pool/overview. Out: figures, charts, bars, statistics. Guarantee: every part is in one of
// the states loading, empty, shown, stale, error; what was shown stays, marked, when the pool is away.

import { Chart, meter, rangeBar } from "./charts.js";
import { ago, date, el, json, language, loadTexts, moment, number, put, switches, t } from "./page.js";

const REFRESH_MS = 300_000; // as often as the answer changes
const STALE_S = 3 * 86_400; // a day is counted six hours after its end
const SIGNS = { hour: "good", day: "good", week: "warn", older: "alarm", unknown: "" };
const byId = (id) => document.getElementById(id);

let overview = null;
let asked = 0;

function figures(pool) {
  const { totals, freshness } = pool;
  put(document, {
    timestamp: moment(pool.timestamp),
    homes: number(totals.homes),
    data_points: number(totals.data_points),
    models: number(totals.models),
    newest: t(`public.newest.${freshness.newest}`),
    statistics_until: freshness.statistics === null ? "" : t("public.until", { when: date(freshness.statistics - 1) }),
  });
  document.querySelector('[data-put="newest"]').dataset.is = SIGNS[freshness.newest];
  goal(byId("goal-homes"), t("unit.homes"), totals.homes, totals.homes_required);
  goal(byId("goal-points"), t("unit.data_points"), totals.data_points, totals.data_points_required);
}

function goal(place, label, value, wanted) {
  meter(place, { label, value, goal: wanted });
  if (value >= wanted) place.querySelector("strong").textContent = t("public.goal_reached", { goal: number(wanted) });
}

function growth(pool, charts) {
  const x = pool.growth.map((day) => day.timestamp - 1); // the last second of the day itself
  const last = x.at(-1);
  const staleSince = last !== undefined && pool.timestamp - last > STALE_S ? last : null;
  for (const [name, chart] of Object.entries(charts)) {
    const line = { name: t(`unit.${name}`), values: pool.growth.map((day) => day[name]) };
    if (x.length) chart.show({ x, lines: [line] }, { staleSince });
    else chart.empty(t("public.growth_empty"));
  }
}

function bars({ homes_min: least, models, others }) {
  const rows = models.map((one) => [one.name, one.homes]);
  if (others) rows.push([t("public.others"), others]);
  const most = Math.max(1, ...rows.map(([, homes]) => homes));
  byId("models").replaceChildren(...rows.map(([name, homes]) => {
    const text = t("public.at_least", { n: number(homes) });
    const bar = el("progress", { max: most, value: homes, "aria-label": `${name}: ${text}` });
    return el("div", { class: "meter" }, el("span", {}, el("span", {}, name), el("strong", {}, text)), bar);
  }), ...(rows.length ? [] : [el("p", { class: "quiet" }, t("public.models_empty", { n: number(least) }))]));
  put(document, { models_note: t("public.models_note", { n: number(least) }) });
}

function releases({ models, others }) {
  const rows = models.map((one) => el("li", {},
    el("div", { class: "row between" }, el("strong", {}, one.name), el("span", { class: "sign", "data-is": one.state === "released" ? "good" : null }, t(`public.state.${one.state}`))),
    el("span", { class: "quiet", title: moment(one.created) }, t("public.release_line", { version: one.version, when: ago(one.created) }))));
  const list = el("ul", { class: "plain" }, ...rows);
  byId("releases").replaceChildren(rows.length ? list : el("p", { class: "quiet" }, t("public.releases_empty")));
  put(document, { releases_note: others ? t("public.releases_others", { n: number(others) }) : "\u00a0" });
}

function statistics({ window, homes_min: least, models }) {
  const choice = byId("model");
  const chosen = models.find((one) => one.model === choice.value) ?? models[0];
  choice.replaceChildren(...models.map((one) => el("option", { value: one.model }, one.name)));
  if (chosen) choice.value = chosen.model;
  else choice.append(el("option", {}, "–"));
  choice.disabled = !chosen;
  byId("window").value = window;
  byId("window").disabled = false;
  const shown = Object.entries(chosen?.metrics ?? {}).map(([name, one]) => {
    const place = el("div");
    rangeBar(place, {
      label: t(`metric.${name}`), unit: one.unit, digits: name === "cop" || name.startsWith("temp") ? 1 : 0,
      p25: one.p25, median: one.median, p75: one.p75, low: one.min, high: one.max, n: one.n,
    });
    return place;
  });
  byId("statistics").replaceChildren(...(shown.length ? shown : [el("p", { class: "quiet" }, t("public.statistics_empty", { n: number(least) }))]));
}

function note(text, is = "") {
  const place = byId("status");
  place.dataset.is = is;
  place.replaceChildren(text);
  return place;
}

function examples() {
  for (const place of [byId("example"), byId("markdown")]) {
    place.textContent = place.textContent.replaceAll("https://pool.example", location.origin);
  }
  byId("copy").addEventListener("click", async (event) => {
    const text = byId("example").textContent;
    try {
      await navigator.clipboard.writeText(text);
      event.target.textContent = t("public.copied");
    } catch { // no permission, or no TLS: select it instead
      getSelection().selectAllChildren(byId("example"));
    }
  });
}

async function load(charts) {
  const turn = ++asked;
  const again = () => load(charts);
  try {
    const answer = await json(`/api/v1/pool/overview?window=${byId("window").value}`);
    if (turn !== asked) return; // another window was chosen meanwhile
    overview = answer;
    note(language === "de" ? overview.message_de : overview.message, overview.totals.data_sufficient ? "good" : "");
    figures(overview);
    growth(overview, charts);
    bars(overview.homes_per_model);
    releases(overview.releases);
    statistics(overview.statistics);
    document.body.dataset.state = "shown";
  } catch (trouble) {
    if (turn !== asked) return;
    if (overview === null) {
      document.body.dataset.state = "error";
      note(trouble.message, "alarm");
      for (const chart of Object.values(charts)) chart.error(trouble.message, again);
      for (const id of ["models", "releases", "statistics"]) byId(id).replaceChildren(el("p", { class: "quiet" }, trouble.message));
      return;
    }
    document.body.dataset.state = "stale";
    const button = el("button", { type: "button", class: "do" }, t("chart.again"));
    button.addEventListener("click", again);
    byId("window").value = overview.statistics.window;
    note(t("chart.stale", { when: moment(overview.timestamp) }), "warn").append(" ", button);
  }
}

await loadTexts();
switches();
examples();
const charts = {
  homes: new Chart(byId("growth-homes"), { label: t("public.growth_homes"), time: true }),
  data_points: new Chart(byId("growth-points"), { label: t("public.growth_points"), time: true }),
};
byId("window").addEventListener("change", () => load(charts));
byId("model").addEventListener("change", () => statistics(overview.statistics));
await load(charts);
setInterval(() => document.hidden || load(charts), REFRESH_MS);
