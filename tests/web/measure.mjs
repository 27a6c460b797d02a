// What the page takes over made libraries: node measure.mjs [N…]
import { chromium } from "playwright-core";
import { mock } from "./mock.mjs";

const sizes = process.argv.slice(2).map(Number);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
for (const photos of sizes.length ? sizes : [100_000, 1_000_000]) {
  const made = await mock({ photos });
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.addInitScript(() => {
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
    const loop = () => {
      const tiles = [...document.querySelectorAll(".tile")].filter((t) => t.getBoundingClientRect().top < innerHeight && t.getBoundingClientRect().bottom > 64);
      if (!window.firstTiles && tiles.length) window.firstTiles = performance.now();
      if (tiles.length && tiles.every((t) => t.querySelector("img.on, .card"))) window.allSeen = performance.now();
      else requestAnimationFrame(loop);
    };
    addEventListener("DOMContentLoaded", loop);
  });
  await page.goto(made.url);
  await page.waitForFunction(() => window.allSeen);
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  const [tiles, seen] = await page.evaluate(() => [window.firstTiles, window.allSeen]);
  // Wheel through, then jump about.
  await page.mouse.move(600, 500);
  let most = 0;
  for (let i = 0; i < 150; i++) {
    await page.mouse.wheel(0, i < 100 ? 300 : 4000);
    await page.waitForTimeout(16);
    most = Math.max(most, await page.evaluate(() => document.querySelectorAll(".tile").length));
  }
  const times = (await page.evaluate(() => window.spent)).sort((a, b) => a - b);
  const jumps = [];
  for (const share of [0.5, 0.99, 0.1, 0.77, 0.33]) {
    const box = await page.locator("#scrub").boundingBox();
    await page.evaluate(() => addEventListener("pointerdown", () => {
      const at = performance.now();
      window.jumped = 0;
      const loop = () => {
        const seen = [...document.querySelectorAll(".tile")].filter((t) => t.getBoundingClientRect().top < innerHeight && t.getBoundingClientRect().bottom > 64);
        if (seen.length && seen.every((t) => t.querySelector("img.on, .card"))) window.jumped = performance.now() - at;
        else requestAnimationFrame(loop);
      };
      requestAnimationFrame(loop);
    }, { once: true }));
    await page.mouse.click(box.x + 40, box.y + box.height * share);
    jumps.push(await (await page.waitForFunction(() => window.jumped)).jsonValue());
    most = Math.max(most, await page.evaluate(() => document.querySelectorAll(".tile").length));
  }
  const ms = (x) => x.toFixed(x < 10 ? 1 : 0).padStart(6) + " ms";
  console.log(`${photos} photos: first paint ${ms(paint)}, tiles ${ms(tiles)}, all thumbnails seen ${ms(seen)}; scroll handler p50 ${ms(times[times.length >> 1])} p99 ${ms(times[Math.floor(times.length * 0.99)])} of ${times.length}; jumps ${jumps.map(ms).join(",")}; tiles at most ${most}`);
  await page.close();
  await made.close();
}
await browser.close();
