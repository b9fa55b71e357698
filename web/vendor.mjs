// Copies what the pages need out of node_modules; `--check` says whether the copies are current.
import { readFileSync, writeFileSync } from "node:fs";

const from = new URL("node_modules/uplot/", import.meta.url);
const to = new URL("../contract/heatpool_contract/pages/", import.meta.url);
const files = { "dist/uPlot.iife.min.js": "uplot.js", "dist/uPlot.min.css": "uplot.css", LICENSE: "uplot.LICENSE" };
let stale = 0;
for (const [source, target] of Object.entries(files)) {
  const wanted = readFileSync(new URL(source, from));
  if (!process.argv.includes("--check")) writeFileSync(new URL(target, to), wanted);
  else if (!wanted.equals(readFileSync(new URL(target, to)))) {
    console.error(`${target} is not what package-lock.json pins: npm run vendor`);
    stale = 1;
  }
}
process.exit(stale);
