// The page in a real browser, over 100,000 made photos.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { launch, skip } from "./browser.mjs";
import { mock } from "./mock.mjs";

const PHOTOS = 100_000;
/** @type {Awaited<ReturnType<typeof mock>>} */ let daemon;
/** @type {import("playwright-core").Browser} */ let browser;

before(async () => {
  if (skip) return;
  daemon = await mock({ photos: PHOTOS });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await daemon?.close();
});

/** A page, closed at the end, on which no error may happen. */
async function open(t, hash = "", how = {}, url = daemon.url) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce", ...how });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (e) => errors.push(e.message));
  page.on("console", (m) => m.type() === "error" && !/Failed to load resource/.test(m.text()) && errors.push(m.text()));
  t.after(async () => {
    await context.close();
    assert.deepEqual(errors, []);
  });
  await page.goto(url + hash);
  return page;
}

/** The grid as a person sees it. */
const seen = (page) => page.evaluate(() => {
  const grid = document.querySelector("#grid").getBoundingClientRect();
  const tiles = [...document.querySelectorAll(".tile")].filter((t) => {
    const box = t.getBoundingClientRect();
    return box.bottom > grid.top + 1 && box.top < grid.bottom - 1;
  }).sort((a, b) => a.index - b.index);
  return { all: document.querySelectorAll(".tile").length, labels: tiles.map((t) => t.ariaLabel), loaded: tiles.filter((t) => t.querySelector("img.on, .card")).length, n: tiles.length };
});
/** Waits until every photo in the window has its picture or card. */
const settled = (page) => page.waitForFunction(() => {
  const grid = document.querySelector("#grid").getBoundingClientRect();
  const tiles = [...document.querySelectorAll(".tile")].filter((t) => t.getBoundingClientRect().bottom > grid.top + 1 && t.getBoundingClientRect().top < grid.bottom - 1);
  return tiles.length > 0 && tiles.every((t) => t.querySelector("img.on, .card"));
});
const focused = (page) => page.evaluate(() => document.activeElement?.ariaLabel ?? "");
const test_ = (name, run) => test(name, { skip }, run);

/** What a person has ordered: pages ask for views by themselves. */
const given = () => daemon.state.orders.filter((order) => order.name !== "view");

test_("on a dense screen pictures of 512 pixels follow, two at once, when all thumbnails are there", async (t) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, deviceScaleFactor: 2 });
  t.after(() => context.close());
  const page = await context.newPage();
  let [now, most, early] = [0, 0, 0];
  await page.route("**/p/**", async (route) => {
    most = Math.max(most, ++now);
    early += await page.evaluate(() => [...document.querySelectorAll(".tile")].filter((tile) => !tile.querySelector("img.on, .card")).length);
    await route.continue();
    now--;
  });
  await page.goto(daemon.url);
  await page.waitForFunction(() => {
    const tiles = [...document.querySelectorAll(".tile:not(.bare) img")];
    return tiles.length > 10 && tiles.every((img) => /s=512/.test(img.src) || img.parentElement.offsetWidth < 170);
  });
  assert.ok(most >= 1 && most <= 2, `${most} at once`);
  assert.equal(early, 0, "no thumbnail was still on its way");
});

test_("opens with the newest photos", async (t) => {
  const page = await open(t);
  await settled(page);
  const { labels, all, n } = await seen(page);
  assert.match(labels[0], /^Photo 1 of 100000, /);
  assert.ok(n > 10 && all <= 150, `${n} seen, ${all} made`);
  assert.equal(await page.textContent("#count"), "100,000 photos");
});

test_("days of one photo share rows, each under its date, which selects it", async (t) => {
  const sparse = await mock({ photos: 400, days: 1 });
  t.after(() => sparse.close());
  for (const how of [{}, { viewport: { width: 390, height: 844 } }, { viewport: { width: 2560, height: 1440 }, colorScheme: "dark" }]) {
    const page = await open(t, "", how, sparse.url);
    await settled(page);
    const rows = await page.evaluate(() => [...document.querySelectorAll(".days")].map((heading) => ({
      dates: [...heading.children].map((day) => ({ at: Math.round(day.getBoundingClientRect().left), says: day.querySelector("b").textContent, cut: day.querySelector("b").scrollWidth > day.querySelector("b").clientWidth })),
      photos: [...document.querySelectorAll(".row")].find((row) => row.ariaRowIndex === String(Number(heading.ariaRowIndex) + 1))?.tiles.map((tile) => ({ at: Math.round(tile.getBoundingClientRect().left), says: tile.ariaLabel })),
    })).filter((row) => row.photos));
    assert.ok(rows.length >= 2 && rows.every((row) => row.photos.length === row.dates.length), JSON.stringify(rows.slice(0, 2)));
    assert.ok(rows.some((row) => row.dates.length > 1));
    for (const row of rows) {
      assert.match(row.dates[0].says, /^\w{3} \d+, \d{4}$/, "the first date of a row has its year");
      row.dates.forEach((date, i) => assert.ok(Math.abs(date.at - row.photos[i].at) < 1.5, "a date stands above its photo"));
      row.dates.forEach((date, i) => assert.match(row.photos[i].says, new RegExp(date.says.slice(0, 3) + "\\w* " + date.says.split(" ")[1])));
    }
    const all = page.locator(".days").first().locator(".all");
    assert.match(await all.last().getAttribute("aria-label"), /^Select 1 photo: \w{3}, \w+ \d+, \d{4}$/);
    await page.locator(".days > div").first().hover();
    await all.first().click();
    assert.equal(await page.textContent("#chosen-count"), "1 selected");
    assert.match(await page.getAttribute('.tile[aria-selected="true"]', "aria-label"), /^Photo 1 of 400, /);
    await page.keyboard.press("Escape");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowUp");
    assert.match(await focused(page), /^Photo [1-4] of 400/);
  }
});

test_("a photo that is not whole has a mark, which says why when somebody points at it", async (t) => {
  const page = await open(t);
  await page.waitForFunction(() => {
    const is = document.querySelector(".tile:not(.bare) .hurt");
    if (!is) document.querySelector("#grid").scrollBy(0, 500);
    return is;
  }, undefined, { polling: 700 });
  await settled(page);
  const marked = await page.evaluate(() => [...document.querySelectorAll(".tile")].map((tile) => [tile.photo, Boolean(tile.querySelector(".hurt")), /not whole/.test(tile.ariaLabel)]));
  for (const [id, mark, said] of marked) {
    if (id % 61 === 0) assert.ok(mark && said, `${id} has a mark`);
    assert.equal(mark, said);
  }
  assert.ok(marked.filter(([, mark]) => mark).length < marked.length / 4);
  const hurt = page.locator(".tile:not(.bare) .hurt").first();
  await hurt.hover();
  await page.waitForFunction(() => [...document.querySelectorAll(".hurt")].some((mark) => mark.title === "The file is cut short, part of the picture is missing; copy it again from its source."));
  // What is scrolled in later has its mark at once, and those that lose theirs are used again.
  for (let i = 0; i < 12; i++) await page.keyboard.press("PageDown");
  await settled(page);
  const later = await page.evaluate(() => [...document.querySelectorAll(".tile")].map((tile) => [tile.photo, Boolean(tile.querySelector(".hurt"))]));
  for (const [id, mark] of later) assert.ok(mark || id % 61 !== 0, `${id}`);
  assert.ok(later.some(([, mark]) => !mark));
});

test_("a RAW file without a picture says in a sentence why, and what to do", async (t) => {
  const page = await open(t);
  await settled(page);
  const raw = await page.waitForFunction(() => {
    const tile = [...document.querySelectorAll(".tile.bare")].find((one) => one.querySelector(".card"));
    if (!tile) document.querySelector("#grid").scrollBy(0, 900);
    return tile?.photo;
  }, undefined, { polling: 300 });
  await page.goto(daemon.url + "#/photos?photo=" + (await raw.jsonValue()));
  await page.waitForSelector(".bare-note:not([hidden])");
  assert.match(await page.textContent(".bare-note p"), /^This version cannot yet decode .*; save it as a JPEG .*\.$/);
});

test_("rows are in the order they are read in, also after scrolling up and down, and few elements are made for it", async (t) => {
  const page = await open(t);
  await settled(page);
  await page.evaluate(() => {
    window.made = 0;
    const clone = Node.prototype.cloneNode;
    Node.prototype.cloneNode = function (deep) {
      if (this.classList?.contains("tile")) window.made++;
      return clone.call(this, deep);
    };
  });
  await page.mouse.move(600, 400);
  for (const by of [400, 400, 400, 400, 400, 400, 400, 400, -300, -300, -300, 5000, -700]) {
    await page.mouse.wheel(0, by);
    await page.waitForTimeout(40);
  }
  await page.waitForFunction(() => {
    const lines = [...document.querySelectorAll(".box > *")].map((row) => Number(row.ariaRowIndex));
    return lines.length > 3 && lines.every((line, i) => !i || line === lines[i - 1] + 1);
  });
  const { made, all } = await page.evaluate(() => ({ made: window.made, all: document.querySelectorAll(".tile").length }));
  assert.ok(made < all * 1.5, `${made} tiles made, ${all} in the page`);
});

test_("scrolls to the end through a box of limited height, with few elements", async (t) => {
  const page = await open(t);
  await settled(page);
  assert.ok(await page.evaluate(() => document.querySelector(".box[role=grid]").offsetHeight <= 8e6));
  await page.keyboard.press("End");
  await page.waitForFunction(() => document.activeElement?.ariaLabel?.startsWith("Photo 100000 of"));
  await settled(page);
  const { labels, all } = await seen(page);
  assert.match(labels.at(-1), /^Photo 100000 of/);
  assert.ok(all <= 150);
  await page.keyboard.press("Home");
  await page.waitForFunction(() => document.activeElement?.ariaLabel?.startsWith("Photo 1 of"));
});

test_("every photo comes by while scrolling over the place where the box is moved", async (t) => {
  const page = await open(t);
  await settled(page);
  const box = await page.locator("#scrub").boundingBox();
  await page.mouse.click(box.x + 40, box.y + box.height * 0.3);
  await settled(page);
  await page.mouse.move(500, 400);
  let last = Math.max(...(await seen(page)).labels.map((l) => Number(l.split(" ")[1])));
  for (let i = 0; i < 40; i++) {
    await page.mouse.wheel(0, 500);
    await page.waitForTimeout(30);
    await settled(page);
    const numbers = (await seen(page)).labels.map((l) => Number(l.split(" ")[1]));
    assert.ok(Math.min(...numbers) <= last + 1, `a gap between ${last} and ${Math.min(...numbers)}`);
    last = Math.max(...numbers);
  }
});

test_("the scrubber lands where it says", async (t) => {
  const page = await open(t);
  await settled(page);
  const box = await page.locator("#scrub").boundingBox();
  for (const share of [0.25, 0.6, 0.9]) {
    await page.mouse.move(box.x + 40, box.y + box.height * share);
    const said = await page.textContent(".bubble");
    await page.mouse.down();
    await page.mouse.up();
    await settled(page);
    assert.equal(await page.getAttribute("#scrub", "aria-valuetext"), said);
    const heading = await page.evaluate(() => {
      const top = document.querySelector("#grid").getBoundingClientRect().top;
      const above = [...document.querySelectorAll(".tile")].filter((t) => t.getBoundingClientRect().bottom > top + 1);
      above.sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top);
      return above[0].ariaLabel;
    });
    assert.ok(heading.includes(said.split(" ")[1]), `${said} is not the year of ${heading}`);
  }
});

test_("arrow and page keys move the focus, and keep it in the window", async (t) => {
  const page = await open(t);
  await settled(page);
  await page.keyboard.press("ArrowRight");
  assert.match(await focused(page), /^Photo 2 of/);
  await page.keyboard.press("ArrowDown");
  const below = Number((await focused(page)).split(" ")[1]);
  assert.ok(below > 2);
  await page.keyboard.press("ArrowUp");
  assert.ok(Number((await focused(page)).split(" ")[1]) < below);
  for (let i = 0; i < 3; i++) await page.keyboard.press("PageDown");
  const inside = await page.evaluate(() => {
    const box = document.activeElement.getBoundingClientRect(), grid = document.querySelector("#grid").getBoundingClientRect();
    return box.top >= grid.top - 1 && box.bottom <= grid.bottom + 1;
  });
  assert.ok(inside, "the focused photo is in the window");
  assert.equal(await page.locator('.tile[tabindex="0"]').count(), 1);
});

test_("searches with words, chips and facets, by best and by date, to the line where confidence ends", async (t) => {
  const page = await open(t);
  await settled(page);
  await page.keyboard.press("/");
  await page.keyboard.type("dog");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector(".heading")?.textContent.includes("found"));
  assert.match(page.url(), /words=dog/);
  await page.keyboard.press("End");
  assert.ok(await page.evaluate(() => document.querySelectorAll(".tile").length > 0));
  await page.keyboard.press("Home");
  await page.waitForFunction(() => [...document.querySelectorAll(".heading")].some((h) => h.textContent.includes("found")));
  await page.click('#sort [data-sort="date"]');
  await page.waitForFunction(() => !document.querySelector(".heading")?.textContent.includes("found"));
  await page.click("#words");
  await page.click('#facets button:has-text("Kyoto")');
  await page.waitForSelector("#chips .chip");
  assert.deepEqual(await page.locator("#chips .chip").allTextContents(), ["Kyoto, Japan"]);
  assert.deepEqual(await page.evaluate(() => new URLSearchParams(location.hash.split("?")[1]).get("words")), "dog");
  await page.click("#chips .chip");
  await page.waitForFunction(() => !document.querySelector("#chips .chip"));
  await page.click("#clear");
  await page.waitForFunction(() => document.querySelector("#count").textContent === "100,000 photos");
});

test_("what was found is narrowed by chips below the field, until they leave nothing out", async (t) => {
  const page = await open(t, "#/photos?tag=dog");
  const found = () => page.textContent("#count").then((text) => Number(text.replace(/\D/g, "")));
  await page.waitForSelector("#narrow button");
  const all = await found();
  assert.ok(all > 1000);
  const chips = await page.locator("#narrow button").allTextContents();
  assert.ok(chips.some((c) => /^Anna/.test(c)) && chips.some((c) => /^Kyoto/.test(c)) && chips.some((c) => /^2026/.test(c)), chips.join(", "));
  assert.ok(!chips.some((c) => /^dog/.test(c)), "what is asked for already narrows nothing");
  await page.click('#narrow button:has-text("2026")');
  await page.waitForFunction(() => location.hash.includes("on=2026"));
  await page.waitForFunction((all) => Number(document.querySelector("#count").textContent.replace(/\D/g, "")) < all, all);
  assert.deepEqual(daemon.state.orders.findLast((o) => o.name === "facets").body, { query: { tag: ["dog"], on: "2026" } });
  await page.click('nav a[href="#/status"]');
  await page.waitForSelector("#narrow", { state: "hidden" });
  await page.goBack();
  await page.waitForSelector("#narrow button");
  await page.click("#clear");
  await page.waitForSelector("#narrow", { state: "hidden" });
});

test_("says when nothing is found, and when a query is not understood", async (t) => {
  const page = await open(t, "#/photos?words=nothing");
  await page.waitForFunction(() => document.querySelector("#nothing-title").textContent === "Nothing found");
  await page.goto(daemon.url + "#/photos?since=never");
  await page.waitForFunction(() => document.querySelector("#nothing-text").textContent.includes("is no date"));
  await page.click("#nothing a");
  await page.waitForFunction(() => document.querySelector("#nothing").hidden && document.querySelector("#count").textContent === "100,000 photos");
  assert.equal(await page.locator("#chips .chip").count(), 0);
});

test_("the viewer opens, steps, zooms to the original, says what is known, and comes back to that photo", async (t) => {
  const page = await open(t);
  await settled(page);
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#viewer[open]");
  const first = await page.evaluate(() => new URLSearchParams(location.hash.split("?")[1]).get("photo"));
  assert.equal(first, String(PHOTOS - 1));
  await page.waitForFunction(() => document.querySelector("#viewer .frame img").src.includes("s=1440"));
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction((id) => location.hash.includes("photo=" + id), PHOTOS - 3);
  for (let i = 0; i < 4; i++) await page.keyboard.press("+");
  await page.waitForFunction((id) => document.querySelector("#viewer .frame img").src.endsWith("/o/" + id), PHOTOS - 3);
  await page.keyboard.press("Escape");
  assert.ok(await page.evaluate(() => document.querySelector("#viewer").open), "the first Esc ends the zoom");
  await page.keyboard.press("i");
  await page.waitForSelector("#viewer .panel section");
  assert.match(await page.textContent("#viewer .panel"), /IMG_099997\.jpg/);
  await page.click('#viewer button:has-text("Copy path")');
  await page.waitForFunction(() => document.querySelector("#toast").textContent.includes("copied"));
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^\/home\/me\/Pictures\/.*IMG_099997\.jpg$/);
  await page.keyboard.press("b");
  await page.waitForSelector("#viewer .area");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.querySelector("#viewer").open);
  assert.match(await focused(page), /^Photo 4 of/);
});

test_("shows a photo in its folder, opens it, and says why it cannot", async (t) => {
  const page = await open(t, "#/photos?photo=" + (PHOTOS - 3));
  await page.waitForSelector("#viewer .panel section", { state: "attached" });
  await page.keyboard.press("i");
  const toast = (text) => page.waitForFunction((text) => document.querySelector("#toast").textContent.includes(text), text);
  await page.click('#viewer button:has-text("Show in folder")');
  await toast("file manager");
  await page.click('#viewer .actions button:text-is("Open")');
  await toast("in its program");
  assert.deepEqual(given().slice(-2), [{ name: "reveal", body: { id: PHOTOS - 3 } }, { name: "open", body: { id: PHOTOS - 3 } }]);
  daemon.state.desktop = false;
  t.after(() => (daemon.state.desktop = true));
  await page.click('#viewer button:has-text("Show in folder")');
  await toast("no desktop");
  await page.click('#viewer .path button');
  await page.waitForFunction(() => /path=/.test(location.hash) && !document.querySelector("#viewer").open);
});

test_("duplicates are the same grid, each set beginning with how many are alike", async (t) => {
  const page = await open(t, "#/duplicates");
  await settled(page);
  assert.equal(await page.textContent("#count"), "40 sets");
  const sets = await page.evaluate(() => [...document.querySelectorAll(".tile")].sort((a, b) => a.index - b.index).slice(0, 8).map((t) => t.querySelector(".alike")?.textContent ?? ""));
  assert.deepEqual(sets, ["3 alike", "", "", "2 alike", "", "2 alike", "", "2 alike"]);
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#viewer[open]");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.activeElement?.ariaLabel?.startsWith("Photo 88 of 88"));
  daemon.state.lacks = "duplicates";
  t.after(() => (daemon.state.lacks = ""));
  await page.reload();
  await page.waitForFunction(() => document.querySelector("#count").textContent.endsWith("photos"));
  assert.ok(await page.isHidden('nav a[href="#/duplicates"]'));
});

test_("similar photos are the same grid, and Back finds the page as it was", async (t) => {
  const page = await open(t);
  await settled(page);
  for (let i = 0; i < 6; i++) await page.keyboard.press("PageDown");
  await settled(page);
  const before = await focused(page);
  await page.keyboard.press("s");
  await page.waitForSelector("#chips .chip.like");
  await settled(page);
  await page.goBack();
  await page.waitForFunction(() => document.querySelector("#count").textContent === "100,000 photos");
  await settled(page);
  assert.ok((await seen(page)).labels.includes(before), `${before} is seen again`);
});

test_("similar photos of one that is looked at begin with itself", async (t) => {
  const page = await open(t, "#/photos?photo=" + (PHOTOS - 5000));
  await page.waitForSelector("#viewer .panel section", { state: "attached" });
  await page.keyboard.press("s");
  await page.waitForFunction(() => !document.querySelector("#viewer").open);
  await settled(page);
  const { labels } = await seen(page);
  assert.match(labels[0], /^Photo 1 of/);
  await page.goBack();
  await page.waitForSelector("#viewer[open]");
});

test_("selects, also everything between, copies paths and exports", async (t) => {
  const page = await open(t);
  await settled(page);
  await page.keyboard.press("x");
  await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("Shift+ArrowRight");
  assert.equal(await page.textContent("#chosen-count"), "3 selected");
  await page.locator(".tile").nth(6).click({ modifiers: ["Shift"] });
  assert.equal(await page.textContent("#chosen-count"), "7 selected");
  await page.click("#copy-paths");
  await page.waitForFunction(() => document.querySelector("#toast").textContent.includes("7 paths"));
  assert.equal((await page.evaluate(() => navigator.clipboard.readText())).split("\n").length, 7);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#export-zip")]);
  assert.match(download.url(), /export\/t1$/);
  assert.deepEqual(daemon.state.orders.findLast((o) => o.name === "export").body.ids.sort((a, b) => b - a), [100000, 99999, 99998, 99997, 99996, 99995, 99994]);
  await page.keyboard.press("Escape");
  assert.ok(await page.isHidden("#chosen"));
  await page.keyboard.press("Control+a");
  assert.equal(await page.textContent("#chosen-count"), "100,000 selected");
});

test_("a photo that lands appears, and what is looked at stays", async (t) => {
  const page = await open(t);
  await settled(page);
  await page.waitForFunction(() => document.querySelector("#count").textContent.includes("photos"));
  const id = daemon.land();
  await page.waitForFunction((n) => document.querySelector("#count").textContent.replace(/\D/g, "") === String(n), id);
  await page.waitForFunction((id) => document.querySelector(".tile.fresh img")?.src.endsWith("/" + id), id);
  for (let i = 0; i < 5; i++) await page.keyboard.press("PageDown");
  await settled(page);
  const top = () => page.evaluate(() => document.activeElement.getBoundingClientRect().top);
  const [was, photo] = [await top(), await page.evaluate(() => document.activeElement.photo)];
  const next = daemon.land();
  await page.waitForFunction((n) => document.querySelector("#count").textContent.replace(/\D/g, "") === String(n), next);
  const now = await page.evaluate((id) => [...document.querySelectorAll(".tile")].find((tile) => tile.photo === id)?.getBoundingClientRect().top, photo);
  assert.ok(Math.abs(now - was) < 250, `from ${was} to ${now}`);
});

test_("a photo that goes while it is looked at ends nothing", async (t) => {
  const gone = PHOTOS - 40;
  const page = await open(t, "#/photos?photo=" + gone);
  await page.waitForSelector("#viewer .panel section", { state: "attached" });
  daemon.remove(gone);
  await page.waitForFunction(() => document.querySelector("#toast").textContent.includes("not in the view"));
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction((next) => location.hash.includes("photo=" + next), gone - 1);
  await page.keyboard.press("ArrowLeft");
  await page.waitForFunction((before) => location.hash.includes("photo=" + before), gone + 1);
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.querySelector("#viewer").open);
});

test_("when the daemon goes the page says so, and goes on by itself when it is back", async (t) => {
  const page = await open(t);
  await settled(page);
  daemon.fail(true);
  await page.waitForSelector("#banner:not([hidden])");
  assert.match(await page.textContent("#banner"), /does not answer/);
  daemon.state.n++;
  daemon.state.clock++;
  daemon.fail(false);
  await page.waitForSelector("#banner", { state: "hidden" });
  await page.waitForFunction((n) => document.querySelector("#count").textContent.replace(/\D/g, "") === String(n), daemon.state.n - daemon.state.gone.size);
});

test_("a page that is opened while the daemon is away is there when it is back", async (t) => {
  for (const [name, sign] of [["folders", "#tree .folder"], ["map", ".map-words:not(:empty)"], ["people", ".people li"], ["duplicates", ".alike"], ["status", ".figure"]]) {
    const page = await open(t);
    await settled(page);
    daemon.fail(true);
    await page.waitForSelector("#banner:not([hidden])");
    await page.click(`nav a[href="#/${name}"]`);
    await page.waitForTimeout(300);
    daemon.fail(false);
    await page.waitForSelector(sign);
    await page.waitForSelector("#banner", { state: "hidden" });
    await page.close();
  }
});

test_("a daemon that was started anew lets nobody in: the page says what to do, and goes on when it is let in", async (t) => {
  const page = await open(t);
  await settled(page);
  daemon.state.locked = true;
  daemon.fail(true);
  daemon.fail(false);
  await page.waitForFunction(() => /run `photond open`/.test(document.querySelector("#banner").textContent));
  daemon.state.locked = false;
  await page.waitForSelector("#banner", { state: "hidden" });
});

test_("pictures that are there stay there when a photo lands", async (t) => {
  const page = await open(t);
  await settled(page);
  await page.keyboard.press("ArrowRight");
  await page.evaluate(() => {
    window.before = [...document.querySelectorAll(".tile")].slice(0, 8).map((tile) => [tile.photo, tile]);
    window.loads = 0;
    document.addEventListener("load", (e) => window.before.some(([, tile]) => tile.contains(e.target)) && window.loads++, true);
  });
  const label = await page.evaluate(() => document.activeElement.photo);
  const id = daemon.land();
  await page.waitForFunction((id) => [...document.querySelectorAll(".tile")].some((tile) => tile.photo === id), id);
  await settled(page);
  assert.ok(await page.evaluate(() => window.before.every(([id, tile]) => tile.isConnected && tile.photo === id && tile.querySelector("img.on, .card"))));
  assert.equal(await page.evaluate(() => document.activeElement.photo), label, "the focus is where it was");
});

test_("a swipe shows the next photo, a swipe down closes", async (t) => {
  const page = await open(t, "#/photos?photo=" + (PHOTOS - 10), { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await page.waitForSelector("#viewer[open]");
  await page.waitForFunction(() => document.querySelector("#viewer .frame img").src.includes("s=1440"));
  const touch = await page.context().newCDPSession(page);
  const swipe = async (dx, dy) => {
    const at = (k) => [{ x: 195 + dx * k, y: 400 + dy * k }];
    await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: at(0) });
    for (const k of [0.3, 0.6, 1]) await touch.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: at(k) });
    await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  };
  await swipe(-150, 0);
  await page.waitForFunction((id) => location.hash.includes("photo=" + id), PHOTOS - 11);
  await swipe(0, 200);
  await page.waitForFunction(() => !document.querySelector("#viewer").open);
});

test_("another index under the open page is a new page", async (t) => {
  const page = await open(t);
  await settled(page);
  await page.keyboard.press("x");
  daemon.state.epoch = "e2";
  daemon.land();
  await page.waitForFunction(() => document.querySelector(".tile img")?.src.includes("/t/e2/"));
  assert.ok(await page.isHidden("#chosen"), "what was chosen is of the old index");
  // A number means another photo there, or none.
  await page.keyboard.press("Enter");
  await page.waitForSelector("#viewer[open]");
  daemon.state.epoch = "e3";
  daemon.land();
  await page.waitForFunction(() => !document.querySelector("#viewer").open && document.querySelector(".tile img")?.src.includes("/t/e3/"));
  assert.ok(!page.url().includes("photo="));
  await page.goto(daemon.url + "#/folders?folder=65");
  await page.waitForSelector("#chips .chip");
  daemon.state.epoch = "e4";
  daemon.land();
  await page.waitForFunction(() => !document.querySelector("#chips .chip") && document.querySelector(".tile img")?.src.includes("/t/e4/"));
});

test_("no stream of events while the page is hidden", async (t) => {
  const page = await open(t);
  await settled(page);
  const streams = daemon.state.streams.size;
  assert.ok(streams >= 1);
  const hide = (hidden) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  const until = async (n) => {
    while (daemon.state.streams.size !== n) await new Promise((r) => setTimeout(r, 20));
  };
  await hide(true);
  await until(streams - 1);
  await hide(false);
  await until(streams);
});

test_("the page says whether the daemon is at work", async (t) => {
  const page = await open(t);
  await settled(page);
  const dot = () => page.evaluate(() => getComputedStyle(document.querySelector('#nav a[href="#/status"]'), "::after").content);
  assert.equal(await dot(), "none");
  daemon.does("indexing");
  await page.waitForFunction(() => document.body.dataset.activity === "indexing");
  assert.notEqual(await dot(), "none");
  daemon.does("idle");
  await page.waitForFunction(() => document.body.dataset.activity === "idle");
  assert.equal(await dot(), "none");
});

test_("folders are a tree, and one shows what is in it", async (t) => {
  const page = await open(t, "#/folders");
  await page.waitForSelector('#tree [aria-level="2"]');
  await page.click('#tree [aria-level="2"] .name');
  await page.waitForFunction(() => location.hash.includes("folder="));
  const n = await page.textContent('#tree [aria-selected="true"] small');
  await page.waitForFunction((n) => document.querySelector("#count").textContent.startsWith(n), n);
  await page.keyboard.press("ArrowRight");
  await page.waitForSelector('#tree [aria-level="3"]');
  // A photo that lands is counted, and the tree stays as it was unfolded.
  const whole = () => page.textContent('#tree [aria-level="1"] small');
  const before = await whole();
  daemon.land();
  await page.waitForFunction((before) => document.querySelector('#tree [aria-level="1"] small').textContent !== before, before);
  await page.waitForSelector('#tree [aria-level="3"]');
  assert.equal(await page.getAttribute('#tree .folder:focus', "aria-selected"), "true");
});

test_("the map shows clusters without the internet, and the grid what is in its frame", async (t) => {
  const page = await open(t, "#/map");
  const outside = [];
  page.on("request", (r) => !r.url().startsWith(daemon.url) && outside.push(r.url()));
  await page.waitForFunction(() => /here/.test(document.querySelector(".map-words")?.textContent ?? ""));
  await settled(page);
  const here = () => page.evaluate(() => Number(document.querySelector(".map-words").textContent.split(" ")[0].replace(/\D/g, "")));
  const all = await here();
  assert.ok(all > 1000);
  await page.focus("#map canvas");
  for (let i = 0; i < 5; i++) await page.keyboard.press("+");
  await page.waitForFunction((all) => Number(document.querySelector(".map-words").textContent.split(" ")[0].replace(/\D/g, "")) < all, all);
  assert.equal(await page.textContent("#count").then((text) => Number(text.replace(/\D/g, ""))), await here());
  assert.deepEqual(outside, []);
});

test_("people and status say what there is, and orders are given", async (t) => {
  const page = await open(t, "#/people");
  // The whole head is inside its circle, with room around it.
  await page.waitForFunction(() => document.querySelectorAll(".portrait img.cut").length === 6);
  const faces = await page.evaluate(() => Promise.all([...document.querySelectorAll(".portrait img.cut")].map(async (img) => {
    const known = await (await fetch("/api/v1/photos/" + /\/(\d+)(\?|$)/.exec(img.src)[1])).json(), { area } = known.people_areas[0];
    const circle = img.parentElement.getBoundingClientRect(), box = img.getBoundingClientRect();
    const [x, y] = [box.left + (area.left + area.width / 2) * box.width - circle.left, box.top + (area.top + area.height / 2) * box.height - circle.top];
    return { x: x / circle.width, y: y / circle.height, half: Math.max(area.width * box.width, area.height * box.height) / 2 / circle.width, ratio: box.width / box.height / (known.width / known.height) };
  })));
  for (const { x, y, half, ratio } of faces) {
    assert.ok(half < 0.3 && half > 0.1 && x - half > 0.1 && x + half < 0.9 && y - half > 0.15 && y + half < 0.9, JSON.stringify(faces));
    assert.ok(Math.abs(ratio - 1) < 0.01, "no face is stretched");
  }
  await page.click('.people button:has-text("Anna")');
  await page.waitForFunction(() => document.querySelector("#chips .chip")?.textContent === "Anna");
  await page.goto(daemon.url + "#/status");
  await page.waitForSelector(".figure");
  await page.click('button:has-text("Pause")');
  await page.waitForSelector('button:has-text("Resume")');
  await page.click('button:has-text("Resume")');
  await page.waitForSelector('button:has-text("Pause")');
  assert.deepEqual(given().slice(-2).map((o) => o.name), ["pause", "resume"]);
  assert.match(await page.textContent("#page"), /The JPEG ends after 12 of 480 rows\./);
});

test_("fits a phone", async (t) => {
  const page = await open(t, "", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
  await settled(page);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than the screen");
  const nav = await page.locator("#nav").boundingBox();
  assert.ok(nav.y > 700, "the pages are below");
  assert.ok((await seen(page)).all <= 150);
  // The strip at the edge takes no tap from the photos below it, and its handle can be dragged.
  const at = await page.evaluate(() => {
    const box = document.querySelector("#scrub .thumb").getBoundingClientRect();
    return [[box.left - 10, box.top + 20], [box.left, 500]].map(([x, y]) => Boolean(document.elementFromPoint(x, y)?.closest("#scrub")));
  });
  assert.deepEqual(at, [true, false]);
  const touch = await page.context().newCDPSession(page), handle = await page.locator("#scrub .thumb").boundingBox();
  const point = (y) => [{ x: handle.x + 2, y }];
  await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: point(handle.y + 22) });
  for (const y of [200, 300, 400]) {
    await touch.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: point(y) });
    await page.waitForTimeout(60);
  }
  await page.waitForFunction(() => Number(document.querySelector("#scrub").ariaValueNow) > 30);
  await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await settled(page);
  const [x, y] = await page.evaluate(() => {
    const box = [...document.querySelectorAll(".tile")].map((tile) => tile.getBoundingClientRect()).find((box) => box.top > 470 && box.bottom < 760 && box.right > 380);
    return [box.right - 10, box.bottom - 10];
  });
  await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [{ x, y }] });
  await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await page.waitForSelector("#viewer[open]");
});

test_("a very large screen has no more elements", async (t) => {
  const page = await open(t, "", { viewport: { width: 3840, height: 2160 } });
  await settled(page);
  assert.ok((await seen(page)).all <= 150);
});

for (const colorScheme of ["light", "dark"]) {
  test_(`axe finds nothing serious, ${colorScheme}`, async (t) => {
    const axe = await readFile(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
    const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
    for (const [hash, how, act] of [["", {}, (p) => p.click("#words")], ["", phone, (p) => p.keyboard.press("x")], ["#/photos?words=dog&tag=beach"], ["#/photos?photo=99990", {}, (p) => p.keyboard.press("i")],
      ["", {}, (p) => p.keyboard.press("?")], ["#/folders"], ["#/map"], ["#/people"], ["#/duplicates"], ["#/status"]]) {
      const page = await open(t, hash, { colorScheme, bypassCSP: true, ...how });
      await page.waitForFunction(() => document.querySelector(".tile img.on, #page h1"));
      await act?.(page);
      await page.waitForTimeout(300);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      const serious = violations.filter((v) => ["serious", "critical"].includes(v.impact));
      assert.deepEqual(serious.map((v) => `${hash} ${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`), []);
    }
  });
}
