// The page before axe-core, in a headless browser: node tests/axe.mjs AXE_JS PAGE... ; exit code 1 when it finds something.
// A copy of each page without its policy gets axe-core and tells what it found in its own title.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [axe, ...pages] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "zcheck-axe-"));
const browser = process.env.CHROMIUM ?? "chromium";
let found = 0;
for (const page of pages) {
  for (const scheme of ["1", "0"]) {
    const copy = join(folder, "page.html");
    const text = readFileSync(page, "utf-8").replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, "");
    const run = `axe.run().then(function (r) {
      var told = r.violations.map(function (v) { return v.id + ": " + v.nodes.map(function (n) { return n.html.slice(0, 120) + " " + n.failureSummary; }).join(" | "); });
      document.documentElement.setAttribute("data-axe", JSON.stringify({passes: r.passes.length, told: told}));
    });`;
    writeFileSync(copy, text.replace("</body>", () => `<script>${readFileSync(axe, "utf-8")}</script><script>${run}</script></body>`));
    const dom = execFileSync(browser, ["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000",
      `--blink-settings=preferredColorScheme=${scheme}`, `--user-data-dir=${join(folder, "profile")}`, "--window-size=1000,2000",
      "--dump-dom", pathToFileURL(copy).href], { encoding: "utf-8", stdio: ["ignore", "pipe", "ignore"], maxBuffer: 1 << 28 });
    const match = /data-axe="([^"]*)"/.exec(dom);
    if (!match) { console.log(`${page}: axe-core did not run`); found += 1; continue; }
    const result = JSON.parse(match[1].replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"));
    console.log(`${page} (${scheme === "1" ? "light" : "dark"}): ${result.passes} rules pass, ${result.told.length} fail`);
    result.told.forEach((line) => console.log("  " + line));
    found += result.told.length;
  }
}
process.exit(found ? 1 : 0);
