// Screenshots of the page over the mock: node look.mjs [--real DIR] [--photos N] [--days PHOTOS-A-DAY] [--out DIR] [NAME…]
// Those in shots/ are `node look.mjs --out shots --type jpeg grid search viewer folders map people duplicates status phone dark`.
import { chromium } from "playwright-core";
import { mock } from "./mock.mjs";

const given = (name, otherwise) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : otherwise);
const out = given("--out", "shots");
const type = given("--type", "png");
const made = await mock({ photos: Number(given("--photos", 20000)), real: given("--real"), days: Number(given("--days", 0)) });
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const wanted = process.argv.slice(2).filter((a, i, all) => !a.startsWith("--") && !all[i - 1]?.startsWith("--"));
const shots = {
  grid: {}, wide: { size: [2560, 1440] }, middle: { act: (p) => p.evaluate(() => { const s = document.querySelector("#scrub").getBoundingClientRect(); const at = { clientX: s.x + 30, clientY: s.y + s.height * .4, pointerId: 1, bubbles: true }; document.querySelector("#scrub").dispatchEvent(new PointerEvent("pointermove", at)); document.querySelector("#grid").scrollTop = 60000; }) },
  facets: { act: (p) => p.click("#words") },
  typed: { act: (p) => p.type("#words", "be") },
  search: { hash: "#/photos?words=dog+on+a+beach&place=Kyoto%2C+Japan" }, dark: { dark: true },
  viewer: { hash: "#/photos?photo=19992" , act: (p) => p.evaluate(() => { if (localStorage.info !== "1") document.querySelector('#viewer [aria-label="Details"]').click(); document.querySelector('#viewer [aria-label="Boxes and text"]').click(); }) },
  plain: { hash: "#/photos?photo=19991", act: (p) => p.evaluate(() => { if (localStorage.info === "1") document.querySelector('#viewer [aria-label="Details"]').click(); }) },
  map: { hash: "#/map", wait: 2500 }, mapdark: { hash: "#/map", dark: true, wait: 2500 }, folders: { hash: "#/folders?folder=65", act: (p) => p.click("#tree [aria-level=\"2\"] .twist") },
  duplicates: { hash: "#/duplicates" }, narrowed: { hash: "#/photos?tag=dog" }, people: { hash: "#/people" }, status: { hash: "#/status" }, nothing: { hash: "#/photos?words=nothing" },
  chosen: { act: async (p) => { await p.keyboard.press("x"); await p.keyboard.press("Shift+ArrowRight"); await p.keyboard.press("Shift+ArrowRight"); await p.keyboard.press("Shift+ArrowDown"); } },
  help: { act: (p) => p.keyboard.press("?") },
  phonefolders: { phone: true, hash: "#/folders" }, phonepeople: { phone: true, hash: "#/people" }, phonestatus: { phone: true, hash: "#/status", dark: true },
  phonechosen: { phone: true, act: async (p) => { await p.keyboard.press("x"); await p.keyboard.press("Shift+ArrowRight"); } },
  phonepanel: { phone: true, hash: "#/photos?photo=19992", act: (p) => p.keyboard.press("i") }, phonetyped: { phone: true, act: (p) => p.type("#words", "be") },
  phone: { phone: true }, phoneviewer: { phone: true, hash: "#/photos?photo=19992" }, phonesearch: { phone: true, hash: "#/photos?words=dog", dark: true }, phonemap: { phone: true, hash: "#/map", wait: 2500 },
};
for (const [name, s] of Object.entries(shots)) {
  if (wanted.length && !wanted.includes(name)) continue;
  const page = await browser.newPage({ viewport: s.phone ? { width: 390, height: 844 } : { width: s.size?.[0] ?? 1440, height: s.size?.[1] ?? 900 }, deviceScaleFactor: s.phone ? 2 : 1, hasTouch: !!s.phone, colorScheme: s.dark ? "dark" : "light" });
  page.on("pageerror", (e) => console.log(name, "error", e.message));
  page.on("console", (m) => m.type() === "error" && !/404/.test(m.text()) && console.log(name, m.text()));
  await page.goto(made.url + (s.hash ?? ""));
  await page.waitForTimeout(s.wait ?? 1200);
  if (s.act) { await s.act(page); await page.waitForTimeout(900); }
  await page.screenshot(type === "jpeg" ? { path: `${out}/${name}.jpg`, type, quality: 60 } : { path: `${out}/${name}.png` });
  await page.close();
}
await browser.close();
await made.close();
