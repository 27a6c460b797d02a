// Where photos stand, without a browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { narrowed, readView } from "../../web/api.js";
import { along, dayAt, layOut, lineOf, partsOf } from "../../web/layout.js";
import { chipsOf, dateIn, isRanked, readRoute, withField, withoutField, writeRoute } from "../../web/query.js";

/** Days with so many photos each, newest first. */
function viewOf(counts, ratioOf = (i) => [128, 146, 112, 160, 90][i % 5], dayOf = (d) => 20000 - d) {
  const n = counts.reduce((a, b) => a + b, 0);
  const ends = new Uint32Array(counts.length);
  counts.reduce((end, count, d) => (ends[d] = end + count), 0);
  return { clock: 1, epoch: "e", n, ranked: false, confident: n, ids: Uint32Array.from({ length: n }, (_, i) => n - i),
    ratios: Uint8Array.from({ length: n }, (_, i) => ratioOf(i)), days: Int32Array.from(counts, (_, d) => dayOf(d)), ends, scores: new Uint8Array() };
}

/** A number that looks random. */
const random = (seed) => () => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;

/** The rows of a view, each as its days, how high it is and how wide what stands in it. */
function rowsOf(view, layout) {
  const rows = [];
  for (let line = 0; line < layout.lines; line++) {
    const height = layout.rowHeight[line];
    if (!height) continue;
    const row = { line, height, width: 0, days: new Set(), gaps: [] };
    let end = 0;
    along(view, layout, line, (index, left, width, day) => {
      if (end) row.gaps.push(Math.round(left - end));
      row.width = end = left + width;
      row.days.add(day);
    });
    rows.push(row);
  }
  return rows;
}

test("every photo stands in one row, rows do not overlap and none is wider than the page", () => {
  const next = random(7);
  for (let round = 0; round < 60; round++) {
    const counts = Array.from({ length: 1 + Math.floor(next() * 40) }, () => 1 + Math.floor(next() ** 4 * 300));
    const view = viewOf(counts, () => Math.floor(next() * 256));
    const width = 300 + Math.floor(next() * 2500), target = 100 + next() * 200;
    const layout = layOut(view, width, target);
    let photo = 0;
    for (let line = 0; line < layout.lines; line++) {
      assert.equal(layout.first[line], photo);
      const height = layout.rowHeight[line];
      assert.ok(layout.top[line + 1] >= layout.top[line] + (height || 40), `line ${line} is covered by the next`);
      if (!height) continue;
      let end = 0;
      along(view, layout, line, (index, left, wide, day) => {
        assert.equal(index, photo++);
        assert.equal(day, dayAt(view, index));
        assert.ok(left >= end, "photos lie beside each other");
        end = left + wide;
      });
      assert.ok(end <= width + 0.5, `a row of ${end} in ${width}`);
    }
    assert.equal(photo, view.n);
  }
});

test("rows fill the page, but for days with too few photos", () => {
  const layout = layOut(viewOf([40, 55, 200]), 1200, 200);
  for (let line = 0; line < layout.lines; line++) {
    const height = layout.rowHeight[line];
    if (!height) continue;
    assert.ok(height > 120 && height < 300, `a row ${height} high`);
  }
});

test("small days share a row, each apart from the next; a day that fills a row has its own", () => {
  const view = viewOf([1, 2, 1, 1, 90, 1, 1, 3]), layout = layOut(view, 1300, 200);
  const rows = rowsOf(view, layout);
  assert.deepEqual([...rows[0].days], [0, 1, 2, 3]);
  assert.deepEqual(rows[0].gaps, [20, 4, 20, 20]);
  assert.deepEqual([...rows.at(-1).days], [5, 6, 7]);
  assert.ok(rows.slice(1, -1).every((row) => row.days.size === 1 && row.days.has(4) && row.gaps.every((gap) => gap === 4)));
});

test("libraries of few photos a day fill the page, however wide it is", () => {
  const next = random(3);
  const mixed = Array.from({ length: 4000 }, () => (next() < 0.15 ? 20 + Math.floor(next() * 200) : 1 + Math.floor(next() ** 2 * 8)));
  for (const [counts, most] of [[Array(2000).fill(1), 0.001], [Array(2000).fill(3), 0.03], [Array(20).fill(500), 0.001], [mixed, 0.03]]) {
    for (const [width, target] of [[378, 118], [1364, 210], [2484, 210]]) {
      const view = viewOf(counts), rows = rowsOf(view, layOut(view, width, target));
      const thin = rows.filter((row) => row.width < width * 0.6).length;
      assert.ok(thin <= rows.length * most + 1, `${thin} of ${rows.length} rows of ${counts[0]} a day are half empty at ${width}`);
      assert.ok(rows.every((row) => row.height > target / 1.9 && row.height < target * 1.5));
    }
  }
});

test("a photo is found by its row and its day", () => {
  const view = viewOf([5, 1, 90, 3]);
  const layout = layOut(view, 900, 180);
  for (let i = 0; i < view.n; i++) {
    const line = lineOf(layout, i);
    assert.ok(layout.rowHeight[line] > 0 && layout.first[line] <= i && i < layout.first[line + 1]);
    assert.equal(dayAt(view, i), i < 5 ? 0 : i < 6 ? 1 : i < 96 ? 2 : 3);
  }
});

test("a ranked view is parted where confidence ends", () => {
  const ranked = (n, confident) => ({ ...viewOf([n]), days: new Int32Array(), ends: new Uint32Array(), ranked: true, confident });
  assert.deepEqual(partsOf(ranked(10, 4)), [4, 10]);
  const layout = layOut(ranked(3, 1), 2000, 200);
  assert.deepEqual([...layout.first], [0, 0, 1, 1, 3], "few that are sure share no row with others");
  assert.deepEqual(partsOf(ranked(10, 0)), [10]);
  assert.deepEqual(partsOf(ranked(10, 10)), [10]);
  assert.deepEqual(partsOf(ranked(0, 0)), []);
});

test("sets of duplicates that fit in a row are not parted, and share rows", () => {
  const sizes = Array.from({ length: 90 }, (_, i) => 2 + (i % 3)), view = { ...viewOf(sizes), days: new Int32Array(), groups: sizes };
  const layout = layOut(view, 1300, 200, false);
  for (let g = 0, first = 0; g < sizes.length; first = view.ends[g++]) {
    assert.equal(dayAt(view, first), g);
    assert.equal(lineOf(layout, first), lineOf(layout, view.ends[g] - 1), `set ${g}`);
  }
  assert.ok(layout.lines < 75, `${layout.lines} rows of 90 sets`);
});

test("an empty view is an empty page", () => {
  const layout = layOut(viewOf([]), 800, 200);
  assert.deepEqual([layout.lines, layout.height], [0, 0]);
});

test("the bytes of a view are read as they were written", () => {
  const head = (fields) => {
    const text = JSON.stringify(fields);
    return Buffer.from(text.padEnd(text.length + ((4 - ((text.length + 1) % 4)) % 4)) + "\n");
  };
  const bytes = Buffer.concat([head({ clock: 7, epoch: "ab", n: 3, days: 2, ranked: false }), Buffer.from(Uint32Array.of(9, 7, 8).buffer),
    Buffer.from([130, 100, 128, 0]), Buffer.from(Int32Array.of(20000, 2, -5, 1).buffer)]);
  const view = readView(new Uint8Array(bytes).buffer);
  assert.deepEqual([[...view.ids], [...view.ratios], [...view.days], [...view.ends]], [[9, 7, 8], [130, 100, 128], [20000, -5], [2, 3]]);
  const ranked = Buffer.concat([head({ clock: 7, epoch: "ab", n: 2, days: 0, ranked: true, confident: 1 }), Buffer.from(Uint32Array.of(4, 5).buffer), Buffer.from([128, 128, 0, 0, 255, 3])]);
  const best = readView(new Uint8Array(ranked).buffer);
  assert.deepEqual([best.confident, [...best.scores]], [1, [255, 3]]);
});

test("a narrowed view keeps order and days", () => {
  const view = viewOf([2, 1, 3]);
  const some = narrowed(view, new Set([view.ids[1], view.ids[3], view.ids[5], 999]));
  assert.deepEqual([...some.ids], [view.ids[1], view.ids[3], view.ids[5]]);
  assert.deepEqual([[...some.days], [...some.ends]], [[20000, 19998], [1, 3]]);
});

test("an address and what it asks for are the same thing", () => {
  const routes = ["#/photos", "#/photos?words=dog+on+a+beach&tag=dog&tag=beach&place=Paris%2C+Texas&sort=date&photo=7", "#/folders?folder=129", "#/map", "#/photos?like=12"];
  for (const hash of routes) {
    const route = readRoute(hash);
    assert.deepEqual(readRoute(writeRoute(route)), route, hash);
  }
  assert.equal(readRoute("#/nowhere").page, "photos");
  assert.equal(readRoute("").page, "photos");
  assert.deepEqual(readRoute(routes[1]).query.tag, ["dog", "beach"]);
});

test("chips come and go", () => {
  let query = withField(withField(withField({ words: "x" }, "tag", "dog"), "tag", "cat"), "on", "2023");
  assert.deepEqual(chipsOf(query).map((c) => c.label), ["dog", "cat", "2023"]);
  query = withoutField(withoutField(query, "tag", "dog"), "on", "2023");
  assert.deepEqual(query, { words: "x", tag: ["cat"] });
  assert.ok(isRanked(query) && !isRanked({ tag: ["cat"] }) && isRanked({ like: 3 }));
});

test("dates are known when they are typed", () => {
  assert.deepEqual(["2023", "2023-05", "2023-05-03", "May 2023", "sept 2019"].map(dateIn), ["2023", "2023-05", "2023-05-03", "2023-05", "2019-09"]);
  assert.deepEqual(["dog", "2023-13", "203", "may"].map(dateIn), [null, null, null, null]);
});
