// How much of it there is. The daemon sends the files as they lie here, with their comments.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const web = new URL("../../web/", import.meta.url);
const gzipped = async (names) => gzipSync(Buffer.concat(await Promise.all(names.map((name) => readFile(new URL(name, web)))))).length;
const page = await readFile(new URL("index.html", web), "utf8");
const first = [...page.matchAll(/(?:href|src)="\/app\/(\w+\.js)"/g)].map((found) => found[1]);

test("what the first page needs is at most 25 KB of JavaScript and 12 KB of CSS", async () => {
  const [js, css] = [await gzipped(first), await gzipped(["app.css"])];
  assert.ok(js <= 25_000, `${js} bytes of JavaScript`);
  assert.ok(css <= 12_000, `${css} bytes of CSS`);
});

test("what is loaded later is 12 KB at most, and the page's first modules are all preloaded", async () => {
  const all = (await readdir(web)).filter((name) => name.endsWith(".js"));
  const later = all.filter((name) => !first.includes(name));
  assert.ok(await gzipped(later) <= 12_000);
  for (const name of first) {
    const text = await readFile(new URL(name, web), "utf8");
    for (const [, needed] of text.matchAll(/^import .* from "\.\/([\w.]+)"/gm)) assert.ok(first.includes(needed), `${name} needs ${needed}`);
  }
});

test("nothing in the page needs what its security policy forbids", async () => {
  const style = await readFile(new URL("app.css", web), "utf8");
  assert.ok(!/url\(|@import/.test(style), "the style loads nothing");
  assert.ok(!/ style=| on\w+=|<style|<script>/.test(page), "no style and no script stand in the page");
  for (const name of (await readdir(web)).filter((n) => n.endsWith(".js"))) {
    const text = await readFile(new URL(name, web), "utf8");
    assert.ok(!/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?:\/\/(?!www\.w3\.org)/.test(text), name);
  }
});
