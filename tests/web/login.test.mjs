// The page that asks other machines for the password, in a real browser.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { launch, skip } from "./browser.mjs";
import { mock } from "./mock.mjs";

/** @type {Awaited<ReturnType<typeof mock>>} */ let daemon;
/** @type {import("playwright-core").Browser} */ let browser;

before(async () => {
  if (skip) return;
  daemon = await mock({ photos: 10 });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await daemon?.close();
});

for (const [colorScheme, width] of /** @type {const} */ ([["light", 1280], ["dark", 360]])) {
  test(`a password is typed, refused in a sentence, and taken: ${colorScheme}, ${width} pixels wide`, { skip }, async (t) => {
    const context = await browser.newContext({ viewport: { width, height: 640 }, colorScheme });
    t.after(() => context.close());
    const page = await context.newPage();
    const answers = [[403, { error: "this is not the password" }], [429, { error: "too many wrong passwords: wait 2 seconds, then try again" }], [200, { done: 1 }]];
    const asked = [];
    await page.route("**/api/v1/login", (route) => {
      asked.push(route.request().postDataJSON());
      const [status, json] = answers[asked.length - 1];
      return route.fulfill({ status, json });
    });
    await page.goto(daemon.url + "app/login.html#/map");
    // No click is needed.
    await page.keyboard.type("wrong words");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("This is not the password.").waitFor();
    // The next one is typed over it.
    await page.keyboard.type("others");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Too many wrong passwords: wait 2 seconds, then try again.").waitFor();
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing sticks out");

    const axe = await readFile(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    assert.deepEqual(violations.map((v) => v.id), []);

    const again = page.waitForEvent("load");
    await page.getByLabel("Password").fill("correct horse");
    await page.keyboard.press("Enter");
    await again;
    assert.ok(page.url().endsWith("#/map"), "the same address again, which is the gallery now");
    assert.deepEqual(asked, ["wrong words", "others", "correct horse"].map((password) => ({ password })));
  });
}
