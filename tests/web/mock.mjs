// A daemon made up for the tests and for working on the page: the API of docs/api.md over made rows.
//
//   node mock.mjs [--port 8123] [--photos 100000] [--real DIR]
//
// With GALLERY=DIR the page is another one than this tree's, to compare them.
// Photos are coloured blocks, or with --real the JPEGs of a folder. All of it is a function of the number of photos,
// so that two runs say the same.
import { createServer } from "node:http";
import { readFile, readdir } from "node:fs/promises";
import { deflateSync, gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import path from "node:path";
import { sent } from "./bare.mjs";

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".bin": "application/octet-stream" };
const CSP = "default-src 'none'; img-src 'self' blob:; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TODAY = 20600;
const TAGS = ["dog", "beach", "mountain", "food", "person", "car", "flower", "snow", "building", "cat", "boat", "sunset", "bicycle", "child", "forest"];
const PEOPLE = ["Anna", "Ben", "Clara", "David", "Emil", "Frieda"];
const PLACES = [["Kyoto, Japan", 35.01, 135.77], ["Lisbon, Portugal", 38.72, -9.14], ["Berlin, Germany", 52.52, 13.4], ["Paris, France", 48.86, 2.35],
  ["New York, United States", 40.71, -74.0], ["Cape Town, South Africa", -33.92, 18.42], ["Reykjavík, Iceland", 64.15, -21.94], ["Sydney, Australia", -33.87, 151.21],
  ["Lima, Peru", -12.05, -77.04], ["Oslo, Norway", 59.91, 10.75], ["Rome, Italy", 41.9, 12.5], ["Delhi, India", 28.61, 77.21]];
const CAMERAS = ["NIKON D750", "Apple iPhone 13", "Canon EOS R6", "FUJIFILM X-T4"];
const RATIOS = [1.5, 1.5, 1.5, 1.333, 1.333, 0.75, 0.667, 1, 1.778, 2.4];

/** A number that looks random and is always the same for the same photo. */
function hash(n, salt = 0) {
  let x = (n + 1) * 0x9e3779b1 ^ salt * 0x85ebca6b;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

/** @param {{ photos?: number, real?: string, port?: number, days?: number }} given days: so many photos each day */
export async function mock({ photos = 100_000, real, port = 0, days: each = 0 } = {}) {
  const state = { clock: 1, epoch: "e1", n: photos, paused: false, orders: [], gone: new Set(), streams: new Set(), down: false, locked: false, desktop: true, lacks: "" };
  const files = real ? (await readdir(real)).filter((f) => /\.jpe?g$/i.test(f)).sort() : [];
  const sizes = await Promise.all(files.map(async (f) => jpegSize(await readFile(path.join(real, f)))));

  const fileOf = (id) => hash(id, 9) % files.length;
  const ratio = (id) => (files.length ? sizes[fileOf(id)][0] / sizes[fileOf(id)][1] : RATIOS[hash(id, 1) % RATIOS.length]);
  // Newest first: ids fall, days fall; days have between one and some sixty photos.
  const dayOf = new Int32Array(photos + 1);
  for (let id = photos, day = TODAY, left = each || 12; id > 0; id--) {
    if (!left--) {
      day -= 1 + (hash(day, 3) % 5 === 0 ? hash(day, 4) % 12 : 0);
      left = each ? each - 1 : hash(day, 2) % 7 === 0 ? 30 + hash(day, 5) % Math.max(40, photos / 2000) : hash(day, 6) % 9;
    }
    dayOf[id] = day;
  }
  const day = (id) => (id <= photos ? dayOf[id] : TODAY);
  const has = {
    tag: (id, t) => hash(id, 20) % TAGS.length === TAGS.indexOf(t) || hash(id, 21) % TAGS.length === TAGS.indexOf(t),
    person: (id, p) => hash(id, 22) % 24 === PEOPLE.indexOf(p),
    place: (id, p) => hash(id, 23) % 36 === PLACES.findIndex(([name]) => name === p),
    camera: (id, c) => CAMERAS[hash(id, 24) % 4] === c,
    on: (id, on) => new Date(day(id) * 864e5).toISOString().startsWith(on),
    damaged: (id) => hurt(id) || bare(id),
    folder: (id, f) => f === 1 || (f < 100 ? folderOf(id)[0] === f : folderOf(id)[1] === f),
  };
  const folderOf = (id) => {
    const date = new Date(day(id) * 864e5), year = date.getUTCFullYear();
    return [year - 1960, (year - 1960) * 100 + date.getUTCMonth() + 1];
  };

  /** The view of everything, as it is sent. @type {{ clock: number, bytes: Buffer } | null} */
  let whole = null;
  function view({ query = {}, sort }) {
    if (query.since === "never") return { error: "“never” is no date: 2019, 2019-05 or “last week” are" };
    const words = query.words ?? query.text?.[0];
    const ranked = Boolean(words || query.like) && sort === "best";
    let ids = [];
    const tests = Object.entries(query).filter(([f]) => has[f]).flatMap(([f, v]) => [v].flat().map((one) => (id) => has[f](id, one)));
    if (words) tests.push((id) => hash(id, 40 + words.length) % 50 === 0);
    for (let id = state.n; id > 0; id--) {
      if (!state.gone.has(id) && tests.every((test) => test(id))) ids.push(id);
    }
    if (words === "nothing") ids = [];
    if (query.like) ids = [query.like, ...ids.filter((id) => id !== query.like && hash(id, query.like) % 300 === 0)].slice(0, 300);
    if (ranked) {
      ids = ids.slice(0, 200);
      ids.sort((a, b) => (a === query.like ? -1 : b === query.like ? 1 : hash(b, 50) - hash(a, 50)));
    }
    /** @type {number[][]} */ const days = [];
    if (!ranked) for (const id of ids) {
      if (days.at(-1)?.[0] === day(id)) days.at(-1)[1]++;
      else days.push([day(id), 1]);
    }
    const confident = ranked ? Math.ceil(ids.length * 0.4) : ids.length;
    return binary({ clock: state.clock, epoch: state.epoch, n: ids.length, days: days.length, ranked, confident }, ids, ranked ? ids.map((_, i) => 250 - i) : [], days);
  }

  /** A view as it is sent. */
  function binary(said, ids, scores, days = []) {
    let head = JSON.stringify(said);
    head = head.padEnd(head.length + ((4 - ((head.length + 1) % 4)) % 4)) + "\n";
    const ratios = Buffer.from(Uint8Array.from(ids, (id) => Math.round(128 + 32 * Math.log2(ratio(id)))));
    const body = [Buffer.from(head), Buffer.from(Uint32Array.from(ids).buffer), ratios, Buffer.alloc((4 - (ids.length % 4)) % 4), Buffer.from(Int32Array.from(days.flat()).buffer), Buffer.from(Uint8Array.from(scores))];
    return Buffer.concat(body);
  }

  function photo(id) {
    if (!(id > 0 && id <= state.n) || state.gone.has(id)) return null;
    const at = new Date(day(id) * 864e5 + (hash(id, 7) % 86400) * 1000).toISOString().slice(0, 19);
    const place = PLACES[hash(id, 23) % 36];
    const person = PEOPLE[hash(id, 22) % 24];
    const tags = [...new Set([TAGS[hash(id, 20) % TAGS.length], TAGS[hash(id, 21) % TAGS.length]])];
    const [year, month] = [at.slice(0, 4), at.slice(5, 7)];
    const area = { left: 0.3 + (hash(id, 31) % 20) / 100, top: 0.2, width: 0.16, height: 0.24 };
    return { id, path: `/home/me/Pictures/${year}/${month}/IMG_${String(id).padStart(6, "0")}.jpg`, hash: "0".repeat(64), format: bare(id) ? "raf" : "jpeg", width: Math.round(3000 * Math.sqrt(ratio(id))), height: Math.round(3000 / Math.sqrt(ratio(id))),
      damaged: hurt(id), pixels: bare(id) ? "none" : hurt(id) ? "damaged" : "whole",
      pixels_why: bare(id) ? "raw: this version cannot yet decode a camera's unprocessed sensor data, and there is no large preview in the file; save it as a JPEG with another program to see it here (it is retried automatically when photond learns it)"
        : hurt(id) ? "jpeg: the file is cut short, part of the picture is missing; copy it again from its source" : undefined, size: 2_000_000 + hash(id, 8) % 6e6, captured_at: at, date: at, date_source: "exif", camera: CAMERAS[hash(id, 24) % 4], lens: "35mm ƒ/1.8", exposure_s: 1 / 250, f_number: 2.8, iso: 200, focal_length_mm: 35,
      lat: place?.[1] ?? null, lon: place?.[2] ?? null, place: place?.[0] ?? null, keywords: id % 5 ? [] : ["Holidays|Summer"], rating: id % 7 ? 0 : 4, title: null, caption: id % 9 ? null : "An evening by the water, just before it got dark.",
      people: person ? [person] : [], text: id % 4 ? [] : ["Café Central", "open 8–18"], tags: tags.map((name, i) => ({ name, confidence: 0.93 - i / 10, term: name, sources: ["efficientnet-lite0"], shown: true })),
      people_areas: person ? [{ name: person, area, sources: ["face"] }] : [], things: [{ name: tags[0], class: 1, confidence: 0.9, area: { left: 0.1, top: 0.4, width: 0.3, height: 0.4 } }], faces: [], text_areas: id % 4 ? [] : [{ text: "Café Central", confidence: 0.9, area: [0.6, 0.1, 0.85, 0.18] }], places: [] };
  }
  const bare = (id) => hash(id, 77) % 97 === 0;
  const hurt = (id) => id % 61 === 0 && !bare(id);

  /** @type {Record<string, (url: URL, body: any) => any>} */
  const api = {
    facets: (_, body) => {
      const n = view({ query: body?.query, sort: "date" }).length / 6;
      const rows = (names, share) => names.map((name, i) => ({ name, photos: Math.round(n / share / (1 + i / 4)) })).filter((r) => r.photos);
      return { tags: rows(TAGS, 8), people: rows(PEOPLE, 24), places: rows(PLACES.map(([name]) => name), 36), cameras: rows(CAMERAS, 4), years: rows(["2026", "2025", "2024", "2023", "2022"], 8) };
    },
    // Two and two are alike, every fifth time three; of the newest.
    duplicates: () => {
      const groups = state.n > 100 ? Array.from({ length: 40 }, (_, g) => (g % 5 ? 2 : 3)) : [];
      const ids = Array.from({ length: groups.reduce((a, b) => a + b, 0) }, (_, i) => state.n - 7 * i).filter((id) => !state.gone.has(id));
      return binary({ clock: state.clock, epoch: state.epoch, n: ids.length, days: 0, ranked: false, confident: ids.length, groups }, ids, []);
    },
    reveal: () => (state.desktop ? { done: 1 } : { error: "photond has no desktop to show it on: it runs as a service" }),
    open: () => (state.desktop ? { done: 1 } : { error: "photond has no desktop to open it on: it runs as a service" }),
    folders: (url) => {
      const under = Number(url.searchParams.get("under"));
      const folders = new Map();
      const add = (id, name, at, below) => folders.set(id, { id, name, path: at, photos: (folders.get(id)?.photos ?? 0) + 1, folders: below });
      if (!under) return [{ id: 1, name: "Pictures", path: "/home/me/Pictures", photos: state.n, folders: 12 }];
      for (let id = state.n; id > 0; id--) {
        if (state.gone.has(id)) continue;
        const [year, month] = folderOf(id);
        if (under === 1) add(year, String(year + 1960), `/home/me/Pictures/${year + 1960}`, 12);
        else if (under === year) add(month, String(month % 100).padStart(2, "0"), `/home/me/Pictures/${year + 1960}/${month % 100}`, 0);
      }
      return [...folders.values()];
    },
    people: () => PEOPLE.map((name, i) => {
      let example = state.n;
      while (example > 1 && !has.person(example, name)) example--;
      return { name, photos: Math.round(state.n / 24), number: i + 1, named: true, example: "/x.jpg", example_id: example };
    }).concat([{ name: "7", photos: 12, number: 7, named: false, example: "/y.jpg" }]),
    status: () => ({ daemon: { alive: true, activity: state.paused ? "paused" : "indexing", paused: state.paused ? "paused by hand" : null, resting: null, queue: 1834, rate: 41.2, eta_s: 45 },
      counts: { files: state.n + 40, indexed: state.n, failed: 3, missing: 0, photos: state.n, tagged: state.n, damaged: 2, without_picture: 12 }, failures_by_kind: { truncated: 2, unsupported: 1 },
      roots: [{ path: "/home/me/Pictures", state: "online", photos: state.n, missing: 0 }, { path: "/media/me/Archive", state: "offline", photos: 0, missing: 0 }],
      errors: [{ kind: "truncated", path: "/home/me/Pictures/2019/05/broken.jpg", error: "the JPEG ends after 12 of 480 rows" }] }),
    export: (_, body) => (body.how === "zip" ? { url: "/api/v1/export/t1" } : { folder: "/home/me/Pictures/photond/export-1", photos: body.ids.length }),
    "export/t1": () => Buffer.from("PK\x05\x06" + "\0".repeat(18), "latin1"),
    places: () => {
      const rows = [];
      for (let id = state.n; id > 0 && rows.length < 3 * 60_000; id--) {
        const place = PLACES[hash(id, 23) % 36];
        if (place) rows.push(id, Math.round((place[1] + Math.sin(id) * (hash(id, 5) % 100) / 90) * 1e6), Math.round((place[2] + Math.cos(id * 7) * (hash(id, 6) % 100) / 70) * 1e6));
      }
      return Buffer.concat([Buffer.from(Uint32Array.of(rows.length / 3).buffer), Buffer.from(Int32Array.from(rows).buffer)]);
    },
    pause: () => ((state.paused = true), {}),
    resume: () => ((state.paused = false), {}),
  };

  const server = createServer(async (req, res) => {
    const url = new URL(req.url ?? "/", "http://x");
    const send = (body, type, status = 200, more = {}) => {
      res.writeHead(status, { "content-type": type, "x-content-type-options": "nosniff", "content-security-policy": CSP, ...more });
      res.end(body);
    };
    const kept = { "cache-control": "public, max-age=31536000, immutable" };
    if (state.down) return void req.socket.destroy();
    const [, kind, epoch, last] = url.pathname.split("/");
    if (url.pathname === "/" || kind === "app") {
      const name = kind === "app" ? path.basename(url.pathname) : "index.html";
      const bytes = await sent(name).catch(() => null);
      return bytes ? send(gzipSync(bytes), TYPES[path.extname(name)], 200, { "content-encoding": "gzip" }) : send("", "text/plain", 404);
    }
    if (kind === "t" || kind === "p" || kind === "o") {
      const id = Number(kind === "o" ? epoch : last);
      if (bare(id) || !photo(id)) return send('{"error":"no picture"}', "application/json", 404);
      if (files.length) return send(await readFile(path.join(real, files[fileOf(id)])), "image/jpeg", 200, kept);
      return send(block(id, ratio(id)), "image/png", 200, kept);
    }
    if (kind !== "api") return send('{"error":"nothing is here"}', "application/json", 404);
    if (state.locked) return send('{"error":"this browser is not let in yet, or photond was started anew: run `photond open`"}', "application/json", 401);
    const name = url.pathname.slice("/api/v1/".length);
    if (name === "events") {
      res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      res.write(": hello\n\n");
      state.streams.add(res);
      if (Number(url.searchParams.get("since")) < state.clock) res.write(`data: ${JSON.stringify({ type: "photos", clock: state.clock })}\n\n`);
      return void req.on("close", () => state.streams.delete(res));
    }
    let text = "";
    for await (const part of req) text += part;
    const body = text ? JSON.parse(text) : null;
    if (req.method === "POST") state.orders.push({ name, body });
    if (name.startsWith("photos/")) {
      const known = photo(Number(name.slice(7)));
      return known ? send(JSON.stringify(known), "application/json") : send('{"error":"this photo is not there any more"}', "application/json", 404);
    }
    if (name === state.lacks) return send('{"error":"there is nothing here"}', "application/json", 404);
    if (name === "view" && !Object.keys(body.query ?? {}).length) {
      // As the daemon does, which keeps it in memory.
      if (whole?.clock !== state.clock) whole = { clock: state.clock, bytes: gzipSync(view(body), { level: 1 }) };
      return send(whole.bytes, "application/octet-stream", 200, { "content-encoding": "gzip" });
    }
    const answer = name === "view" ? view(body) : api[name] ? api[name](url, body) : {};
    if (answer.error) return send(JSON.stringify(answer), "application/json", 400);
    if (Buffer.isBuffer(answer)) return send(gzipSync(answer, { level: 1 }), "application/octet-stream", 200, { "content-encoding": "gzip" });
    send(JSON.stringify(answer), "application/json");
  });
  await new Promise((done) => server.listen(port, "127.0.0.1", () => done(null)));
  const tell = (event) => state.streams.forEach((res) => res.write(`data: ${JSON.stringify(event)}\n\n`));
  // Made before anybody waits for them.
  if (!files.length) for (let id = 1; id <= Math.min(photos, 5000); id++) block(id, ratio(id));
  whole = { clock: state.clock, bytes: gzipSync(view({ query: {}, sort: "date" }), { level: 1 }) };
  return {
    state,
    url: `http://127.0.0.1:${/** @type {any} */ (server.address()).port}/`,
    /** A photo lands. */
    land() {
      state.n++;
      state.clock++;
      tell({ type: "photos", clock: state.clock });
      return state.n;
    },
    /** @param {string} activity what the daemon is doing */
    does: (activity) => tell({ type: "status", report: { activity } }),
    /** @param {number} id */
    remove(id) {
      state.gone.add(id);
      state.clock++;
      tell({ type: "photos", clock: state.clock });
    },
    /** @param {boolean} down */
    fail(down) {
      state.down = down;
      if (down) state.streams.forEach((res) => res.destroy());
    },
    close() {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

/** Blocks that were made, by colour and shape. @type {Map<string, Buffer>} */
const blocks = new Map();

/** A PNG of one colour that fades, as large as a thumbnail is. */
function block(id, ratio) {
  const hue = (hash(id, 11) % 48) * 7.5, key = hue + ":" + ratio;
  let made = blocks.get(key);
  if (!made) blocks.set(key, (made = png(ratio >= 1 ? 256 : Math.round(256 * ratio), ratio >= 1 ? Math.round(256 / ratio) : 256, hue)));
  return made;
}

function png(width, height, hue) {
  const rows = Buffer.alloc(height * (1 + width * 3));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const light = 0.78 - 0.34 * (y / height) + 0.06 * (x / width);
      // HSL to RGB, a channel at a time.
      for (let c = 0; c < 3; c++) {
        const k = ([0, 8, 4][c] + (hue + (40 * y) / height) / 30) % 12;
        const value = light - 0.42 * Math.min(light, 1 - light) * Math.max(-1, Math.min(k - 3, 9 - k, 1));
        rows[y * (1 + width * 3) + 1 + x * 3 + c] = Math.round(255 * value);
      }
    }
  }
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]), out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length);
    body.copy(out, 4);
    out.writeUInt32BE(crc(body), body.length + 4);
    return out;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);
  return Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), chunk("IHDR", head), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

function crc(bytes) {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 && 0xedb88320);
  }
  return ~sum >>> 0;
}

/** Width and height as a JPEG's frame says. @param {Buffer} bytes */
function jpegSize(bytes) {
  for (let at = 2; at < bytes.length; at += 2 + bytes.readUInt16BE(at + 2)) {
    const marker = bytes[at + 1];
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) return [bytes.readUInt16BE(at + 7), bytes.readUInt16BE(at + 5)];
  }
  return [4, 3];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const given = (name) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined);
  const made = await mock({ photos: Number(given("--photos") ?? 100_000), real: given("--real"), port: Number(given("--port") ?? 8123) });
  console.log(made.url);
}
