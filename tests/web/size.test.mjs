// How much of it there is, as it is sent: without comments and indentation, each module compressed by itself.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { WEB, bare, modules, sent } from "./bare.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const page = await readFile(path.join(WEB, "index.html"), "utf8");
const first = [...page.matchAll(/(?:href|src)="\/app\/(\w+\.js)"/g)].map((found) => found[1]);
// The page that asks for a password is another one.
const LOGIN = "login.js";
const all = (await modules()).filter((name) => name !== LOGIN);
const joined = async (names) => gzipSync(Buffer.concat(await Promise.all(names.map(sent))), { level: 9 }).length;
const gzipped = async (names) => {
  const sizes = await Promise.all(names.map(async (name) => gzipSync(await sent(name), { level: 9 }).length));
  return sizes.reduce((sum, size) => sum + size);
};

test("the first page needs at most 23 KB of JavaScript, all pages 33 KB, and 12 KB of CSS", async (t) => {
  const each = await Promise.all(all.map(async (name) => `${name} ${await gzipped([name])}`));
  const [js, began, css] = [await gzipped(all), await gzipped(first), await gzipped(["app.css"])];
  t.diagnostic(`${js} bytes of JavaScript, ${began} of them for the first page, ${css} of CSS; by file: ${each.join(", ")}`);
  assert.ok(js <= 33_000, `${js} bytes of JavaScript`);
  assert.ok(began <= 23_000, `${began} bytes of JavaScript for the first page`);
  assert.ok(await joined(all) <= 28_000 && await joined(first) <= 20_000, "as one, for comparison");
  assert.ok(css <= 12_000, `${css} bytes of CSS`);
});

test("what is sent is what was written without its comments", async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), "photond-web-"));
  t.after(() => rm(folder, { recursive: true }));
  // TypeScript reads both with all care, and prints both without comments.
  const print = (from, to) => execFileSync("npx", ["tsc", "--allowJs", "--target", "es2023", "--module", "esnext", "--moduleResolution", "bundler",
    "--ignoreConfig", "--noCheck", "--removeComments", "--rootDir", from, "--outDir", to, ...all.map((name) => path.join(from, name))], { cwd: here });
  const [written, stripped] = [path.join(folder, "written"), path.join(folder, "stripped")];
  await cp(WEB, written, { recursive: true });
  await mkdir(stripped);
  for (const name of all) {
    await writeFile(path.join(stripped, name), await sent(name));
    execFileSync(process.execPath, ["--check", "--input-type=module"], { input: await sent(name) });
  }
  print(written, path.join(folder, "a"));
  print(stripped, path.join(folder, "b"));
  for (const name of all) {
    assert.equal(await readFile(path.join(folder, "b", name), "utf8"), await readFile(path.join(folder, "a", name), "utf8"), name);
  }
  assert.equal(bare("/** What\n * it is. */\nconst a = /** @type {A} */ (b); // kept\n\n  // gone\n  /* Part */\n  c();\n"), "const a = (b); // kept\nc();\n");
});

test("the page's first modules are all preloaded", async () => {
  for (const name of first) {
    const text = await readFile(path.join(WEB, name), "utf8");
    for (const [, needed] of text.matchAll(/^import .* from "\.\/([\w.]+)"/gm)) assert.ok(first.includes(needed), `${name} needs ${needed}`);
  }
});

test("nothing in the page needs what its security policy forbids", async () => {
  for (const name of ["app.css", "login.css"]) {
    assert.ok(!/url\(|@import/.test(await readFile(path.join(WEB, name), "utf8")), "the style loads nothing");
  }
  for (const text of [page, await readFile(path.join(WEB, "login.html"), "utf8")]) {
    assert.ok(!/ style=| on\w+=|<style|<script>/.test(text), "no style and no script stand in the page");
  }
  for (const name of [...all, LOGIN]) {
    const text = await readFile(path.join(WEB, name), "utf8");
    assert.ok(!/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?:\/\/(?!www\.w3\.org)/.test(text), name);
  }
});
