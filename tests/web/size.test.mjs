// How much of it there is. The daemon sends the files as they lie here, with their comments: what that is stands
// beside what the code alone is.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const web = fileURLToPath(new URL("../../web/", import.meta.url));
const gzipped = async (names, folder = web) => gzipSync(Buffer.concat(await Promise.all(names.map((name) => readFile(path.join(folder, name)))))).length;
const page = await readFile(path.join(web, "index.html"), "utf8");
const first = [...page.matchAll(/(?:href|src)="\/app\/(\w+\.js)"/g)].map((found) => found[1]);
// The page that asks for a password is another one.
const all = (await readdir(web)).filter((name) => name.endsWith(".js") && name !== "login.js");

test("what the first page needs is at most 25 KB of JavaScript, comments and all, and 12 KB of CSS", async () => {
  const [js, css] = [await gzipped(first), await gzipped(["app.css"])];
  assert.ok(js <= 25_000, `${js} bytes of JavaScript`);
  assert.ok(css <= 12_000, `${css} bytes of CSS`);
});

test("the code of the whole gallery is at most 25 KB, but for the map, which is 5 KB more when it is opened", async (t) => {
  const bare = await mkdtemp(path.join(tmpdir(), "photond-web-"));
  t.after(() => rm(bare, { recursive: true }));
  const here = fileURLToPath(new URL(".", import.meta.url));
  execFileSync("npx", ["tsc", "-p", ".", "--noEmit", "false", "--removeComments", "--rootDir", "../..", "--outDir", bare], { cwd: here });
  const code = path.join(bare, "web");
  const [gallery, map] = [await gzipped(all.filter((name) => name !== "map.js"), code), await gzipped(["map.js"], code)];
  assert.ok(gallery <= 25_000, `${gallery} bytes without the map`);
  assert.ok(map <= 5_000, `${map} bytes of the map`);
});

test("all of it as it is sent, comments and map too, is 36 KB, and the page's first modules are all preloaded", async () => {
  const sent = await gzipped(all);
  assert.ok(sent <= 36_000, `${sent} bytes`);
  for (const name of first) {
    const text = await readFile(path.join(web, name), "utf8");
    for (const [, needed] of text.matchAll(/^import .* from "\.\/([\w.]+)"/gm)) assert.ok(first.includes(needed), `${name} needs ${needed}`);
  }
});

test("nothing in the page needs what its security policy forbids", async () => {
  for (const name of ["app.css", "login.css"]) assert.ok(!/url\(|@import/.test(await readFile(path.join(web, name), "utf8")), "the style loads nothing");
  for (const text of [page, await readFile(path.join(web, "login.html"), "utf8")]) {
    assert.ok(!/ style=| on\w+=|<style|<script>/.test(text), "no style and no script stand in the page");
  }
  for (const name of [...all, "login.js"]) {
    const text = await readFile(path.join(web, name), "utf8");
    assert.ok(!/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?:\/\/(?!www\.w3\.org)/.test(text), name);
  }
});
