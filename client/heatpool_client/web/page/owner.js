// The owner's page: reads `api/...`, draws it, sends what the buttons decide.
//
// Every card loads by itself: one that fails shows its error, the others stay.

import { ago, date, el, has, json, language, loadTexts, moment, number, percent, put, reading, switches, t, withUnit } from "./page.js";
import { Chart, meter, rangeBar } from "./charts.js";

const EVERY_MS = 60_000;
const $ = (id) => document.getElementById(id);
const card = (id) => $(id);
const said = (text, text_de) => (language === "de" ? text_de : text);
const charts = {};
let shownAlarm = null;

function say(text, kind = "good") {
  const note = $("said");
  note.hidden = false;
  note.dataset.is = kind;
  note.replaceChildren(text);
}

const sign = (place, name, text, is) => {
  const target = place.querySelector(`[data-put="${name}"]`);
  target.replaceChildren(text);
  target.dataset.is = is;
};

const note = (place, name, text) => {
  const target = place.querySelector(`[data-put="${name}"]`);
  target.hidden = !text;
  target.replaceChildren(text ?? "");
};

async function change(what, body = {}) {
  const csrf = document.querySelector('meta[name="csrf-token"]')?.content ?? "";
  return json(`api/${what}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-csrf-token": csrf },
    body: JSON.stringify(body),
  });
}

/** A button that says what came of it, and cannot be pressed twice. */
function on(id, event, work) {
  $(id).addEventListener(event, async (happened) => {
    happened.preventDefault();
    const button = happened.submitter ?? happened.currentTarget;
    if (button.ariaBusy === "true") return; // not `disabled`: that would take the focus away
    button.ariaBusy = "true";
    try {
      await work();
    } catch (trouble) {
      if (trouble.status === 401) return location.reload(); // the server began anew, or signed us out
      say(trouble.message, "alarm");
      $("said").scrollIntoView({ block: "nearest" });
    } finally {
      button.ariaBusy = null;
    }
  });
}

// ---- cards

function consentText(text) {
  const parts = [];
  let list = null;
  for (const line of text.split("\n")) {
    const item = line.match(/^(?:-|\d+\.) (.*)/);
    const plain = (item ? item[1] : line).replaceAll(/\*\*|`/g, "").trim();
    if (item) {
      if (!list) parts.push((list = el("ul")));
      list.append(el("li", {}, plain));
    } else if (line.startsWith("#")) parts.push(el("h3", {}, plain.replace(/^#+ /, "")));
    else if (!plain) list = null;
    else if (list && line.startsWith(" ")) list.lastChild.append(` ${plain}`);
    else {
      list = null;
      const last = parts.at(-1);
      if (last?.localName === "p" && !last.dataset.done) last.append(` ${plain}`);
      else parts.push(el("p", {}, plain));
    }
    if (!plain && parts.at(-1)?.localName === "p") parts.at(-1).dataset.done = "1";
  }
  return parts;
}

async function showConsent(standing) {
  const open = standing !== "granted";
  $("optin").hidden = !open;
  if (!open) return;
  const seen = await json(`api/consent?lang=${language}`);
  $("agree").dataset.version = seen.version;
  $("consent-text").replaceChildren(...consentText(seen.text));
}

const SIGNS = { on: "good", paused: "warn", trouble: "warn", off: "" };

async function status() {
  const seen = await json("api/status");
  const place = card("sharing");
  sign(place, "sharing", t(`sharing.is_${seen.sharing}`, { until: moment(seen.paused_until_s) }), SIGNS[seen.sharing]);
  put(place, {
    last: seen.last_upload_s ? `${ago(seen.last_upload_s)} (${moment(seen.last_upload_s)})` : t("never"),
    waiting: seen.records_waiting ? t("sharing.records", { n: number(seen.records_waiting), kb: number(seen.bytes_waiting / 1024), since: moment(seen.oldest_s) }) : t("sharing.nothing"),
    sent: `${number(seen.records_sent)} (${number(seen.samples_sent)} ${t("unit.data_points")})`,
    server: seen.server,
  });
  note(place, "problem", seen.problem ? said(seen.problem_text, seen.problem_text_de) : null);
  $("left-out").replaceChildren(...(seen.left_out.length ? seen.left_out.map(leftOut) : [el("li", { class: "quiet" }, t("sharing.nothing_left_out"))]));
  const off = seen.sharing === "off";
  for (const id of ["send", "pause", "withdraw", "update"]) $(id).disabled = off;
  $("erase").disabled = seen.erasure !== null;
  $("pause").textContent = t(seen.sharing === "paused" ? "sharing.resume" : "sharing.pause");
  $("pause").dataset.hours = seen.sharing === "paused" ? "0" : "24";
  note(card("mine"), "erasure", seen.erasure ? t(seen.erasure.confirmed_s ? "erase.confirmed" : "erase.waits", { when: moment(seen.erasure.confirmed_s ?? seen.erasure.requested_s), receipt: seen.erasure.receipt ?? "–" }) : null);
  model(seen);
  await showConsent(seen.consent);
}

const leftOut = (one) =>
  el("li", {}, el("strong", {}, `${number(one.count)} × ${t(`left_out.${one.kind}`)}`), el("br"), has(`left_out.${one.code}`) ? t(`left_out.${one.code}`) : said(one.text, one.text_de));

function model(seen) {
  const place = card("model");
  const detector = seen.detector;
  const refused = seen.refused_detector;
  note(place, "refused", refused?.at_s ? t("model.refused", { code: refused.code, when: moment(refused.at_s) }) : null);
  if (!detector) {
    sign(place, "verified", t("model.none"), "");
    return put(place, { version: "–", age: "–", from: "–", state: "–", until: "–", signed: "–", hash: "–" });
  }
  const fine = detector.is_verified && !detector.is_expired && !detector.is_previous;
  sign(place, "verified", t(fine ? "model.verified" : detector.is_expired ? "model.expired" : "model.previous"), fine ? "good" : "warn");
  put(place, {
    version: detector.version,
    age: `${ago(detector.created_s, seen.now_s)} (${date(detector.created_s)})`,
    from: t("model.trained", { homes: number(detector.homes), samples: number(detector.samples) }),
    state: t(`model.is_${detector.state}`),
    until: `${date(detector.expires_s)}${detector.is_stale ? ` – ${t("model.stale")}` : ""}`,
    signed: t("model.trust", { version: detector.trust_version ?? "–", epoch: detector.epoch, seq: detector.seq }),
    hash: `${detector.model_hash.slice(0, 16)}…`,
  });
}

async function scores() {
  const place = card("health");
  const days = $("days").value;
  let seen;
  try {
    seen = await json(`api/scores?days=${days}`);
  } catch (trouble) {
    sign(place, "verdict", t("health.unknown"), "");
    put(place, { newest: trouble.message });
    return charts.score.error(trouble.message, scores);
  }
  const latest = seen.latest;
  if (!latest) {
    sign(place, "verdict", t("health.unknown"), "");
    put(place, { score: "–", threshold: "–", newest: t("health.none") });
    return charts.score.empty(t("health.none"));
  }
  const verdict = seen.stale_since_s ? "stale" : latest.is_alarm ? "alarm" : latest.is_over ? "over" : "well";
  sign(place, "verdict", t(`health.is_${verdict}`), { stale: "warn", alarm: "alarm", over: "warn", well: "good" }[verdict]);
  put(place, {
    score: number(latest.smoothed, 2),
    threshold: number(latest.threshold, 2),
    newest: t("health.newest", { when: moment(latest.timestamp_s), mode: said(latest.mode, latest.mode_de) }),
  });
  charts.score.show({
    x: seen.times_s,
    lines: [{ name: t("health.score"), values: seen.smoothed }],
    threshold: { name: t("health.threshold"), value: seen.threshold.at(-1) },
  }, { staleSince: seen.stale_since_s });
}

async function alarms() {
  const place = card("alarms");
  const days = $("days").value;
  try {
    const seen = await json(`api/alarms?days=${days}`);
    const items = [...seen.alarms.map(alarmItem), ...seen.notes.map(noteItem)];
    put(place, { count: t("alarms.count", { n: number(items.length), days: number(seen.days) }) });
    $("alarm-list").replaceChildren(...(items.length ? items : [el("li", { class: "quiet" }, t("alarms.none"))]));
    shownAlarm = seen.alarms.find((one) => one.start_s === shownAlarm?.start_s) ?? seen.alarms[0] ?? null;
    await curve();
  } catch (trouble) {
    $("alarm-list").replaceChildren(el("li", { class: "quiet" }, trouble.message));
    charts.curve.error(trouble.message, alarms);
  }
}

const span = (one) =>
  one.end_s - one.start_s < 60 ? moment(one.start_s) : `${moment(one.start_s)} – ${moment(one.end_s)}`;

function alarmItem(one) {
  const sentences = said(one.sentences, one.sentences_de);
  const name = said(one.label, one.label_de);
  const button = el("button", { type: "button", class: "do", "data-feature": one.feature }, t("alarms.show", { label: name }));
  button.addEventListener("click", async () => { shownAlarm = one; await curve(); $("curve-chart").scrollIntoView({ block: "nearest" }); });
  const usual = one.usual_low === null ? null : t("alarms.usual", { low: reading(one.usual_low), high: withUnit(one.usual_high, one.unit) });
  return el("li", {},
    el("span", { class: "sign", "data-is": one.is_alarm ? "alarm" : "warn" }, t(one.is_alarm ? "alarms.alarm" : "alarms.learning")), " ",
    el("strong", {}, span(one)),
    ...sentences.map((sentence) => el("p", {}, sentence)),
    el("p", { class: "quiet" }, [usual, t("alarms.peak", { peak: number(one.peak, 2), threshold: number(one.threshold, 2) })].filter(Boolean).join(" · ")),
    one.feature ? el("div", { class: "row" }, button) : null);
}

const noteItem = (one) =>
  el("li", {},
    el("span", { class: "sign", "data-is": one.is_alarm ? "alarm" : "warn" }, said(one.title, one.title_de)), " ",
    el("strong", {}, span(one)),
    el("p", {}, said(one.text, one.text_de)));

async function curve() {
  if (!shownAlarm?.feature) {
    $("curve-h").textContent = t("curve.heading");
    return charts.curve.empty(t("curve.none"));
  }
  const seen = await json(`api/curve?${new URLSearchParams({ feature: shownAlarm.feature, mode: shownAlarm.mode, days: $("days").value })}`);
  const label = said(seen.label, seen.label_de);
  $("curve-h").textContent = `${label}${seen.unit ? ` (${seen.unit})` : ""}`;
  Object.assign(charts.curve, { label, unit: seen.unit });
  const flat = (value) => seen.times_s.map(() => value);
  const lines = [{ name: t("curve.own"), values: seen.own }];
  if (seen.expected.some((value) => value !== null)) lines.push({ name: t("curve.expected"), values: seen.expected });
  charts.curve.show({
    x: seen.times_s,
    lines,
    band: seen.usual_low === null ? null : { name: t("curve.usual"), low: flat(seen.usual_low), high: flat(seen.usual_high) },
  });
}

async function comparison() {
  const place = card("comparison");
  const seen = await json(`api/comparison?window=${$("window").value}`).catch((trouble) => ({ metrics: [], problem: { text: trouble.message, text_de: trouble.message } }));
  note(place, "problem", seen.problem ? [said(seen.problem.text, seen.problem.text_de), seen.fetched_s ? t("chart.stale", { when: moment(seen.fetched_s) }) : null].filter(Boolean).join(" ") : null);
  const both = seen.metrics.filter((one) => one.homes);
  const own = seen.metrics.filter((one) => !one.homes && one.own !== null);
  $("ranges").replaceChildren(...both.map((one) => {
    const made = el("div", { role: "group", "aria-label": t(`metric.${one.metric}`), "data-metric": one.metric });
    const { median, p25, p75, min, max, n } = one.homes;
    rangeBar(made, { label: t(`metric.${one.metric}`), unit: one.unit, digits: one.decimals, own: one.own, p25, median, p75, low: min, high: max, n });
    return made;
  }), own.length ? facts(own) : "", both.length || own.length ? "" : el("p", { class: "quiet" }, t("comparison.none")));
}

const facts = (own) =>
  el("div", {}, el("p", { class: "quiet" }, t("comparison.only_own")), el("dl", { class: "facts" }, ...own.flatMap((one) => [el("dt", {}, t(`metric.${one.metric}`)), el("dd", {}, withUnit(one.own, one.unit, one.decimals))])));

async function cop() {
  try {
    const seen = await json("api/cop?days=30");
    const lines = [{ name: t("curve.own"), values: seen.bins.map((one) => one.own) }];
    if (seen.bins.some((one) => one.expected !== null)) lines.push({ name: t("cop.expected"), values: seen.bins.map((one) => one.expected) });
    if (seen.bins.length < 2) return charts.cop.empty(t("cop.none"));
    charts.cop.show({ x: seen.bins.map((one) => one.outdoor_celsius), lines });
  } catch (trouble) {
    charts.cop.error(trouble.message, cop);
  }
}

async function ranking() {
  const place = card("cop");
  const badge = place.querySelector('[data-put="badge"]');
  const { answer, problem } = await json("api/ranking?window=30d").catch((trouble) => ({ problem: { text: trouble.message, text_de: trouble.message } }));
  badge.dataset.badge = answer?.badge ?? "";
  badge.textContent = answer ? t(`badge.${answer.badge ?? "none"}`) : t("ranking.none");
  put(place, { rank: answer ? t("ranking.better", { cop: number(answer.cop, 1), percent: percent(answer.percentile / 100), n: number(answer.n) }) : said(problem.text, problem.text_de) });
}

async function pool() {
  const place = card("pool");
  const seen = await json("api/pool").catch((trouble) => ({ problem: { text: trouble.message, text_de: trouble.message } }));
  const problem = seen.problem ? said(seen.problem.text, seen.problem.text_de) : null;
  if (!seen.answer) {
    for (const id of ["meter-homes", "meter-points", "meter-days"]) $(id).replaceChildren();
    return put(place, { eligible: problem, days: "–", "total-homes": "–", "total-points": "–", when: "" });
  }
  const { check, status: total } = seen.answer;
  const { data_pool: data, contribution } = check;
  meter($("meter-homes"), { label: t("pool.homes"), value: data.total_installations, goal: data.installations_required });
  meter($("meter-points"), { label: t("pool.points"), value: data.total_data_points, goal: data.data_points_required });
  meter($("meter-days"), { label: t("pool.own_days"), value: contribution.days, goal: contribution.days_required });
  put(place, {
    eligible: said(check.reason_text, check.reason_de),
    days: t("meter.of", { value: number(contribution.days), goal: number(check.window_days) }),
    "total-homes": number(total.total_installations),
    "total-points": number(total.total_data_points),
    when: seen.fetched_s ? [t("pool.when", { when: ago(seen.fetched_s) }), problem].filter(Boolean).join(" · ") : "",
  });
}

// ---- what the owner decides

async function preview() {
  const seen = await json("api/preview");
  const place = $("preview-dialog");
  put(place, {
    size: seen.body ? t("preview.size", { n: number(seen.records), bytes: number(seen.body_bytes) }) : t("preview.nothing"),
    body: seen.body ? JSON.stringify(seen.body, null, 1).slice(0, 20_000) : "",
  });
  place.showModal();
}

function closed(dialog) {
  return new Promise((resolve) => {
    dialog.returnValue = "no";
    dialog.showModal();
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

function decisions() {
  on("agree", "submit", async () => {
    await change("consent", { version: $("agree").dataset.version, language });
    say(t("optin.thanks"));
    await everything();
    $("content").focus();
  });
  on("preview", "click", preview);
  on("send", "click", async () => {
    const done = await change("send");
    say(done.problem ? t("sharing.not_sent") : t("sharing.did_send", { n: number(done.records) }), done.problem ? "warn" : "good");
    await status();
  });
  on("pause", "click", async () => {
    const hours = Number($("pause").dataset.hours);
    await change("pause", { hours });
    say(t(hours ? "sharing.did_pause" : "sharing.did_resume"));
    await status();
  });
  on("update", "click", async () => {
    const done = await change("update");
    say(has(`update.${done.outcome}`) ? t(`update.${done.outcome}`, { version: done.version ?? "–" }) : said(done.reason, done.reason_de));
    await everything();
  });
  on("withdraw", "click", async () => {
    if (!(await closed($("withdraw-dialog")))) return;
    await change("withdraw");
    say(t("withdraw.done"));
    await everything();
  });
  on("erase", "click", async () => {
    $("confirm").value = "";
    $("erase-do").disabled = true;
    if (!(await closed($("erase-dialog")))) return;
    const left = await change("erase", { confirm: $("confirm").value, history: $("erase-history").checked });
    say(t(left.erasure?.confirmed_s ? "erase.did" : "erase.will"));
    await everything();
  });
  $("confirm").addEventListener("input", () => {
    $("erase-do").disabled = $("confirm").value.trim().toUpperCase() !== $("confirm").dataset.word;
  });
  $("days").addEventListener("change", () => { scores(); alarms(); });
  $("window").addEventListener("change", comparison);
  $("logout").hidden = document.body.dataset.password !== "yes";
  on("logout", "click", async () => { await change("logout"); location.reload(); });
}

const everything = () =>
  Promise.all([status, scores, alarms, comparison, cop, ranking, pool].map((load) =>
    load().catch((trouble) => (trouble.status === 401 ? location.reload() : say(trouble.message, "alarm")))));

async function owner() {
  charts.score = new Chart($("score-chart"), { label: t("health.score") });
  charts.curve = new Chart($("curve-chart"), { label: t("curve.heading") });
  charts.cop = new Chart($("cop-chart"), { label: t("cop.heading"), time: false, xLabel: t("metric.temp_outdoor"), xUnit: "°C" });
  decisions();
  await everything();
  document.body.dataset.ready = "yes";
  setInterval(() => document.visibilityState === "visible" && everything(), EVERY_MS);
}

function login() {
  $("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await change("login", { password: $("password").value });
      location.reload();
    } catch (trouble) {
      say(trouble.message, "alarm");
    }
  });
}

await loadTexts();
switches();
if (document.body.dataset.page === "login") login();
else await owner();
