/**
 * Whether the built page keeps its promises of size: script of the first load within its budget, packed as it is sent;
 * nothing of the large parts that Ant Design X would bring; no address of another host that would be fetched.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const FOLDER = new URL("../../src/kandong/server/page/", import.meta.url).pathname;
const BUDGET_BYTES = 600_000;
const LARGE_PARTS = ["mermaid", "highlight.js", "katex", "d3-selection", "cytoscape"];

const index = readFileSync(join(FOLDER, "index.html"), "utf8");
const isScript = (name) => name.endsWith(".js");
const packedBytes = (name) => gzipSync(readFileSync(join(FOLDER, "assets", name)), { level: 6 }).length;

/** Scripts that index.html names, and all that those import at once. */
function firstLoad() {
  const found = new Set();
  const visit = (name) => {
    if (found.has(name)) return;
    found.add(name);
    const text = readFileSync(join(FOLDER, "assets", name), "utf8");
    for (const [, imported] of text.matchAll(
      /(?:^|[;}\s])(?:import|export)(?:[^;"'()]*?from)?\s*["']\.\/([\w.-]+\.js)["']/g,
    ))
      visit(imported);
  };
  for (const [, name] of index.matchAll(/(?:src|href)="\.\/assets\/([^"]+\.js)"/g)) visit(name);
  return [...found];
}

const faults = [];
const scripts = firstLoad();
const total = scripts.reduce((sum, name) => sum + packedBytes(name), 0);
if (scripts.length < 2) faults.push("the scripts of the first load were not found");
if (total > BUDGET_BYTES) faults.push(`first load is ${total} bytes packed, allowed are ${BUDGET_BYTES}`);

for (const name of readdirSync(join(FOLDER, "assets"))) {
  const text = readFileSync(join(FOLDER, "assets", name), "utf8");
  if (isScript(name))
    for (const part of LARGE_PARTS)
      if (new RegExp(`${part.replace(".", "\\.")}["'/@-]`).test(text)) faults.push(`${name} holds ${part}`);
  for (const [address] of text.matchAll(/(?:url\(|@import|src=|href=)\s*["']?(?:https?:)?\/\/[^"')\s]+/g))
    faults.push(`${name} fetches ${address}`);
}
for (const [address] of index.matchAll(/(?:src|href)="(?!\.\/)[^"]*"/g))
  faults.push(`index.html names ${address}`);

process.stdout.write(
  `first load: ${scripts.length} scripts, ${(total / 1000).toFixed(0)} kB packed of ${BUDGET_BYTES / 1000} kB\n`,
);
for (const fault of faults) process.stderr.write(`budget: ${fault}\n`);
process.exit(faults.length > 0 ? 1 : 0);
