// What the page takes over made libraries, beside a naive one in the same run: node measure.mjs [--gallery] [N…]
// (--gallery leaves the naive one out). Over the program itself and an index that is there:
// node measure.mjs [--gallery] --daemon PHOTOND DATA_DIR; the daemon has just been started then, and what it takes until
// a photo that lands is seen is measured too.
//
// The naive page asks the same daemon for the same view and makes an <img loading="lazy"> of every photo. Both are looked
// at alike: at points all over the window, until what lies there has its picture.
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { launch } from "./browser.mjs";
import { daemon } from "./daemon.mjs";
import { mock } from "./mock.mjs";

/** Longer than this nobody waits; the naive page over a million photos does take longer. */
const PATIENCE = 90_000;
const NAIVE = `<!doctype html><title>naive</title><style>body{margin:0}img{height:200px;margin:2px;background:#ddd}</style><body><script type="module">
import { readView } from "/app/api.js";
const answer = await fetch("/api/v1/view", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
const view = readView(await answer.arrayBuffer());
for (let i = 0; i < view.n; i++) {
  const img = document.createElement("img");
  img.loading = "lazy";
  img.width = 200 * 2 ** ((view.ratios[i] - 128) / 32);
  img.src = "/t/" + view.epoch + "/" + view.ids[i];
  document.body.append(img);
}
</script>`;

/** Runs in the page before anything else. */
function watch() {
  const points = [];
  for (let x = 1; x < 8; x++) for (let y = 2; y < 8; y++) points.push([(innerWidth * x) / 8, (innerHeight * y) / 8]);
  const isThere = (tile) => (tile.matches("img") ? tile.complete : tile.querySelector("img.on, .card"));
  const looked = () => points.map(([x, y]) => document.elementFromPoint(x, y)?.closest(".tile, body > img")).filter(Boolean);
  /** Calls back once what lies at the points has its picture. */
  window.whenSeen = (tell) => {
    const loop = () => {
      const tiles = looked();
      if (tiles.length > 10 && tiles.every(isThere)) tell(performance.now());
      else requestAnimationFrame(loop);
    };
    requestAnimationFrame(loop);
  };
  window.spent = [];
  const add = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (type, told, how) {
    if (type !== "scroll" || typeof told !== "function") return add.call(this, type, told, how);
    return add.call(this, type, function (event) {
      const began = performance.now();
      told.call(this, event);
      window.spent.push(performance.now() - began);
    }, how);
  };
  window.frames = [];
  window.count = () => document.querySelectorAll(".tile, body > img").length;
  addEventListener("DOMContentLoaded", () => window.whenSeen((at) => (window.allSeen = at)));
}

/** @param {import("playwright-core").Browser} browser */
async function measure(browser, made, isNaive) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  page.setDefaultTimeout(PATIENCE);
  if (isNaive) await page.route("**/naive", (route) => route.fulfill({ contentType: "text/html", body: NAIVE }));
  await page.addInitScript(watch);
  const figures = { paint: NaN, seen: NaN, p50: NaN, p99: NaN, frame50: NaN, frame99: NaN, jump: NaN, most: NaN, memory: NaN };
  const most = async () => (figures.most = Math.max(figures.most || 0, await page.evaluate(() => window.count())));
  try {
    if (made.enter && isNaive) await page.goto(made.enter());
    await page.goto(isNaive ? made.url + "naive" : made.enter?.() ?? made.url);
    figures.seen = await (await page.waitForFunction(() => window.allSeen)).jsonValue();
    figures.paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
    await most();
    const tools = await page.context().newCDPSession(page);
    figures.memory = (await tools.send("Runtime.getHeapUsage")).usedSize / 1e6;
    // Wheel through, at a walk and then in a hurry.
    await page.mouse.move(600, 500);
    await page.evaluate(() => {
      let last = performance.now();
      const loop = (now) => {
        window.frames.push(now - last);
        last = now;
        if (!window.enough) requestAnimationFrame(loop);
      };
      requestAnimationFrame(loop);
    });
    const end = Date.now() + PATIENCE / 3;
    for (let i = 0; i < 150 && Date.now() < end; i++) {
      await page.mouse.wheel(0, i < 100 ? 300 : 4000);
      await page.waitForTimeout(16);
      if (i % 10 === 0) await most();
    }
    const [spent, frames] = await page.evaluate(() => {
      window.enough = true;
      return [window.spent, window.frames].map((times) => times.sort((a, b) => a - b));
    });
    const share = (times, part) => times[Math.floor(times.length * part)] ?? NaN;
    [figures.p50, figures.p99] = [share(spent, 0.5), share(spent, 0.99)];
    [figures.frame50, figures.frame99] = [share(frames, 0.5), share(frames, 0.99)];
    const jumps = [];
    for (const part of [0.5, 0.99, 0.1, 0.77, 0.33]) {
      const jumped = page.evaluate(() => new Promise((tell) => {
        const begin = () => {
          const began = performance.now();
          // After the jump is drawn.
          requestAnimationFrame(() => window.whenSeen((now) => tell(now - began)));
        };
        addEventListener("pointerdown", begin, { once: true, capture: true });
        window.naiveJump = (part) => {
          begin();
          scrollTo(0, part * document.documentElement.scrollHeight);
        };
      }));
      if (isNaive) await page.evaluate((part) => window.naiveJump(part), part);
      else {
        const box = await page.locator("#scrub").boundingBox();
        await page.mouse.click(box.x + 40, box.y + box.height * part);
      }
      jumps.push(await Promise.race([jumped, new Promise((_, no) => setTimeout(no, PATIENCE, new Error("a jump takes too long")))]));
      await most();
    }
    figures.jump = Math.max(...jumps);
  } catch (e) {
    console.log(`  (${e.message.split("\n")[0]})`);
  }
  await page.close({ runBeforeUnload: false }).catch(() => {});
  return figures;
}

/** Milliseconds from a file's landing until its tile shows the picture, in a page that is open at the top. */
async function landings(browser, made) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.addInitScript(watch);
  await page.goto(made.enter());
  await page.waitForFunction(() => window.allSeen);
  await page.waitForTimeout(3000);
  const times = [];
  for (let i = 0; i < 12; i++) {
    const seen = page.evaluate(() => new Promise((tell) => {
      const known = (window.known ??= new Set());
      const loop = () => {
        const fresh = [...document.querySelectorAll(".tile.fresh img.on")].map((img) => new URL(img.src).pathname.split("/").pop());
        if (fresh.every((id) => known.has(id))) return requestAnimationFrame(loop);
        for (const id of fresh) known.add(id);
        tell(Date.now());
      };
      requestAnimationFrame(loop);
    }));
    const picture = await page.screenshot({ type: "jpeg", quality: 60 + i, clip: { x: 10 * i, y: 0, width: 1200, height: 800 } });
    const aside = join(made.watched, "..", "landing");
    writeFileSync(aside, picture);
    const began = Date.now();
    renameSync(aside, join(made.watched, `landing-${i}.jpg`));
    times.push((await seen) - began);
    await page.waitForTimeout(4000 + 137 * i);
  }
  await page.close();
  times.sort((a, b) => a - b);
  console.log(`a photo that lands is seen after ${times[times.length >> 1]} ms (median of ${times.length}; the slowest: ${times.at(-1)} ms; budget 1500)`);
}

const only = process.argv.includes("--gallery");
const at = process.argv.indexOf("--daemon");
const [program, data] = at < 0 ? [] : process.argv.splice(at, 3).slice(1);
const sizes = process.argv.slice(2).map(Number).filter(Boolean);
console.log("| photos | page | first paint | all thumbnails seen | slowest of 5 jumps | scroll handler p50, p99 | frame p50, p99 | tiles | heap |");
console.log("|---|---|---|---|---|---|---|---|---|");
for (const size of sizes.length ? sizes : program ? [NaN] : [100_000, 1_000_000]) {
  const made = program ? await daemon(program, data) : await mock({ photos: size });
  const photos = program ? made.status().counts.photos : size;
  for (const isNaive of only ? [false] : [false, true]) {
    const browser = await launch();
    // People's browsers are running already.
    const other = await browser.newPage();
    await other.goto(made.url + "app/icon.svg");
    await other.waitForTimeout(500);
    const f = await measure(browser, made, isNaive);
    const ms = (x) => (Number.isNaN(x) || x === undefined ? "–" : x < 10 ? x.toFixed(1) + " ms" : x < 1e4 ? x.toFixed(0) + " ms" : (x / 1e3).toFixed(0) + " s");
    console.log(`| ${photos} | ${isNaive ? "naive" : "gallery"} | ${ms(f.paint)} | ${ms(f.seen)} | ${ms(f.jump)} | ${ms(f.p50)}, ${ms(f.p99)} | ${ms(f.frame50)}, ${ms(f.frame99)} | ${f.most} | ${f.memory.toFixed(0)} MB |`);
    await browser.close();
  }
  if (program) {
    const browser = await launch();
    await landings(browser, made);
    await browser.close();
  }
  await made.close();
}
process.exit(0);
