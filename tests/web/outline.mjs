// Makes web/land.bin of Natural Earth's outline (public domain), as the npm package world-atlas has it:
//   npm i --no-save world-atlas && node outline.mjs
//
// The file: u16 number of lines, u16 how many of them are borders between countries (the last ones); then the lines:
// varint number of points, then points as zigzag varints, each the difference to the one before, in 1/100 degree;
// a line of the coast is a closed ring.
import { readFileSync, writeFileSync } from "node:fs";

const STEP = 100;
const world = JSON.parse(readFileSync(new URL("node_modules/world-atlas/countries-50m.json", import.meta.url), "utf8"));
const { scale, translate } = world.transform;
const arcs = world.arcs.map((arc) => {
  let x = 0, y = 0;
  return arc.map(([dx, dy]) => [Math.round(((x += dx) * scale[0] + translate[0]) * STEP), Math.round(((y += dy) * scale[1] + translate[1]) * STEP)]);
});
const arcOf = (i) => (i < 0 ? [...arcs[~i]].reverse() : arcs[i]);
// A line that crosses the date line goes on beyond it, and a ring around the pole is closed through the pole.
const WORLD = 360 * STEP;
const unrolled = (line, isRing) => {
  let turns = 0;
  const points = line.map(([x, y], i) => {
    const step = i ? x - line[i - 1][0] : 0;
    turns -= Math.round(step / WORLD);
    return [x + turns * WORLD, y];
  });
  const [first, last] = [points[0], points.at(-1)];
  if (isRing && first[0] !== last[0]) points.push([last[0], -90 * STEP], [first[0], -90 * STEP]);
  return points;
};
const onCoast = new Set();
const rings = [];
const polygons = world.objects.land.geometries.flatMap((g) => (g.type === "Polygon" ? [g.arcs] : g.arcs));
for (const ring of polygons.flat()) {
  ring.forEach((i) => onCoast.add(i < 0 ? ~i : i));
  rings.push(ring.flatMap((i, k) => arcOf(i).slice(k ? 1 : 0)));
}
const borders = arcs.filter((_, i) => !onCoast.has(i));
const bytes = [];
const varint = (n) => {
  for (; n > 127; n = Math.floor(n / 128)) bytes.push((n % 128) | 128);
  bytes.push(n);
};
const zigzag = (n) => varint(n < 0 ? -2 * n - 1 : 2 * n);
const lines = [...rings.map((ring) => unrolled(ring, true)), ...borders.map((line) => unrolled(line, false))];
bytes.push(lines.length & 255, lines.length >> 8, borders.length & 255, borders.length >> 8);
for (const line of lines) {
  const points = line.filter(([x, y], i) => !i || x !== line[i - 1][0] || y !== line[i - 1][1]);
  varint(points.length);
  let px = 0, py = 0;
  for (const [x, y] of points) {
    zigzag(x - px);
    zigzag(y - py);
    [px, py] = [x, y];
  }
}
writeFileSync(new URL("../../web/land.bin", import.meta.url), Uint8Array.from(bytes));
console.log(`${lines.length} lines, ${borders.length} of them borders, ${bytes.length} bytes`);
