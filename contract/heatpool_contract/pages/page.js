// What both pages share: texts, numbers and dates of the language, theme, JSON.
//
// In: <html lang>, assets/texts.<lang>.json, or what <link data-texts> names. Out: words and formatted values. Guarantee: text goes
// into the page as text, never as HTML; a missing key shows itself.

export const language = document.documentElement.lang || "en";
let words = {};

/** Load the catalogue; call it once, before anything else. */
export async function loadTexts() {
  const named = document.querySelector("link[data-texts]")?.href;
  const answer = await fetch(named ?? `assets/texts.${language}.json`);
  words = answer.ok ? await answer.json() : {};
}

/** The text of `key`, its `{gaps}` filled. */
export function t(key, gaps = {}) {
  const text = words[key] ?? `⟨${key}⟩`;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in gaps ? String(gaps[name]) : whole));
}

/** Whether the catalogue has `key`: codes of a newer pool may be unknown. */
export const has = (key) => key in words;

/** A number in the language's format; a dash for none. */
export function number(value, digits = 0) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const fixed = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(language, fixed).format(value);
}

/** A large number that fits beside an axis: `40 Mio.` */
export const compact = (value) =>
  new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 }).format(value);

/** As many digits as its size makes sensible. */
export const reading = (value) =>
  number(value, Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);

/** Number and unit, kept on one line. */
export const withUnit = (value, unit, digits = null) =>
  [digits === null ? reading(value) : number(value, digits), unit].filter(Boolean).join("\u00a0");

/** Share of one as per cent. */
export const percent = (value, digits = 0) =>
  value === null || value === undefined
    ? "–"
    : new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: digits }).format(value);

const dates = (options) => (seconds) =>
  seconds === null || seconds === undefined
    ? t("none")
    : new Intl.DateTimeFormat(language, options).format(new Date(seconds * 1000));
export const date = dates({ dateStyle: "medium" });
export const moment = dates({ dateStyle: "medium", timeStyle: "short" });
export const shortDate = dates({ day: "2-digit", month: "2-digit" });
export const clock = dates({ hour: "2-digit", minute: "2-digit" });

const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60]];

/** `3 hours ago`. */
export function ago(seconds, nowSeconds = Date.now() / 1000) {
  if (seconds === null || seconds === undefined) return t("never");
  const distance = seconds - nowSeconds;
  const [unit, size] = STEPS.find(([, step]) => Math.abs(distance) >= step) ?? STEPS[2];
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  return format.format(Math.round(distance / size), unit);
}

/** An element: `el("p", {class: "quiet"}, "text", child)`; never HTML from text. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Put texts into every element with `data-put="name"` below `place`. */
export function put(place, values) {
  for (const [name, value] of Object.entries(values)) {
    for (const target of place.querySelectorAll(`[data-put="${name}"]`)) target.replaceChildren(value ?? "–");
  }
}

/** What a service refused or could not do, in the page's language. */
export class Trouble extends Error {
  constructor(status, body) {
    const german = language === "de";
    const seen = body.error ?? body;
    super((german ? seen.text_de ?? seen.detail_de : seen.text ?? seen.detail) || t("error.unknown", { status }));
    this.status = status;
    this.code = seen.code ?? "unknown";
  }
}

/** JSON of an address; a `Trouble` when there is none. */
export async function json(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, { credentials: "same-origin", ...options });
  } catch {
    throw new Trouble(0, { text: t("error.unreachable"), text_de: t("error.unreachable"), code: "unreachable" });
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Trouble(answer.status, body);
  return body;
}

const remember = (name, value) => {
  try { localStorage.setItem(`heatpool.${name}`, value); } catch { /* private window */ }
};

/** Make `[data-theme-button]` and `[data-language]` work. */
export function switches() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const told = () => document.dispatchEvent(new Event("themechange"));
  for (const button of document.querySelectorAll("[data-theme-button]")) {
    const show = () => button.setAttribute("aria-pressed", String(isDark()));
    show();
    dark.addEventListener("change", () => { show(); told(); });
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      remember("theme", root.dataset.theme);
      show();
      told();
    });
  }
  for (const link of document.querySelectorAll("a[data-language]")) {
    link.addEventListener("click", () => remember("language", link.dataset.language));
  }
}
