/**
 * Where photos were taken: a canvas over Natural Earth's outline, which is part of the program. No tiles and no
 * internet. Photos that are close on the screen are one picture with a number; the grid beside the map has those
 * inside its frame.
 */
import { pictureOf, request } from "./api.js";
import { clamp, count, gestures, moves, photos, press, pressable } from "./dom.js";

/** Side of a cluster's picture, and of the cells that photos are put together in. */
const PICTURE = 52, CELL = 76;
const MOST_ZOOM = 18;

/** @typedef {{ x: number, y: number, n: number, id: number, west: number, east: number, north: number, south: number }} Cluster */

/** @typedef {{ points: Float32Array, west: number, east: number, north: number, south: number }} Outline */

/** Web Mercator, 0 to 1. @param {number} lat */
const mercator = (lat) => {
  const s = Math.sin(clamp(lat, -85, 85) * Math.PI / 180);
  return 0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI);
};

export class WorldMap {
  /**
   * @param {HTMLElement} host
   * @param {(ids: Set<number>, stay: boolean) => void} inside told which photos are in the frame, after it came to
   *   rest, and whether it is the same frame
   * @param {(id: number) => void} open a photo that stands alone
   */
  constructor(host, inside, open) {
    this.host = host;
    this.inside = inside;
    this.open = open;
    this.canvas = /** @type {HTMLCanvasElement} */ (host.querySelector("canvas"));
    this.words = /** @type {HTMLElement} */ (host.querySelector(".map-words"));
    this.zoom = 1;
    this.center = { x: 0.5, y: 0.4 };
    /** @type {Outline[]} */ this.coast = [];
    /** @type {Outline[]} */ this.borders = [];
    this.ids = new Uint32Array();
    this.xs = new Float64Array();
    this.ys = new Float64Array();
    /** @type {Cluster[]} */ this.clusters = [];
    /** @type {Map<number, HTMLImageElement>} */ this.pictures = new Map();
    this.pending = 0;
    const keys = { ArrowLeft: () => this.pan(-80, 0), ArrowRight: () => this.pan(80, 0), ArrowUp: () => this.pan(0, -80), ArrowDown: () => this.pan(0, 80),
      "+": () => this.zoomBy(1.6), "=": () => this.zoomBy(1.6), "-": () => this.zoomBy(1 / 1.6), 0: () => this.fitAll() };
    gestures(this.canvas, {
      zoom: (factor, at) => this.zoomBy(factor || 2, at),
      drag: (x, y) => this.pan(-x, -y),
      up: (e, moved) => {
        const cluster = moved < 6 && this.hit(e.offsetX, e.offsetY);
        if (cluster) cluster.n > 1 ? this.fit(cluster) : this.open(cluster.id);
      },
    });
    this.canvas.addEventListener("pointermove", (e) => (this.canvas.style.cursor = !e.buttons && this.hit(e.offsetX, e.offsetY) ? "pointer" : ""));
    this.canvas.addEventListener("keydown", (e) => e.ctrlKey || e.metaKey || press(e, keys));
    pressable(host, () => keys);
    new ResizeObserver(() => this.paintSoon()).observe(host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paintSoon());
  }

  async load() {
    const [places, land] = await Promise.all([request("places").then((r) => r.arrayBuffer()),
      this.coast.length ? null : fetch("/app/land.bin").then((r) => r.arrayBuffer())]);
    if (land) this.readLand(new Uint8Array(land));
    const data = new DataView(places);
    const n = data.getUint32(0, true);
    this.ids = new Uint32Array(n);
    this.xs = new Float64Array(n);
    this.ys = new Float64Array(n);
    for (let i = 0, at = 4; i < n; i++, at += 12) {
      this.ids[i] = data.getUint32(at, true);
      this.ys[i] = mercator(data.getInt32(at + 4, true) / 1e6);
      this.xs[i] = data.getInt32(at + 8, true) / 36e7 + 0.5;
    }
    if (!this.placed && n) {
      this.placed = true;
      this.fitAll();
    }
    this.paintSoon();
    this.settle(true);
  }

  /** The outline, as tests/web/outline.mjs writes it. @param {Uint8Array} bytes */
  readLand(bytes) {
    let at = 4;
    const varint = () => {
      let value = 0, unit = 1;
      for (;; unit *= 128) {
        const byte = bytes[at++];
        value += (byte & 127) * unit;
        if (byte < 128) return value;
      }
    };
    const zigzag = () => {
      const v = varint();
      return v % 2 ? -(v + 1) / 2 : v / 2;
    };
    const lines = bytes[0] | bytes[1] << 8, borders = bytes[2] | bytes[3] << 8;
    for (let i = 0; i < lines; i++) {
      const points = new Float32Array(2 * varint());
      const line = { points, west: 9, east: -9, north: 9, south: -9 };
      for (let p = 0, x = 0, y = 0; p < points.length; p += 2) {
        points[p] = (x += zigzag()) / 36000 + 0.5;
        points[p + 1] = mercator((y += zigzag()) / 100);
        line.west = Math.min(line.west, points[p]);
        line.east = Math.max(line.east, points[p]);
        line.north = Math.min(line.north, points[p + 1]);
        line.south = Math.max(line.south, points[p + 1]);
      }
      (i < lines - borders ? this.coast : this.borders).push(line);
    }
  }

  /** Pixels of the whole world's side. */
  get world() {
    return 256 * 2 ** this.zoom;
  }

  get least() {
    return Math.log2(Math.max(this.canvas.clientWidth, 256) / 256);
  }

  fitAll() {
    let west = 1, east = 0, north = 1, south = 0;
    for (let i = 0; i < this.ids.length; i++) {
      west = Math.min(west, this.xs[i]);
      east = Math.max(east, this.xs[i]);
      north = Math.min(north, this.ys[i]);
      south = Math.max(south, this.ys[i]);
    }
    if (west <= east) this.fit({ west, east, north, south });
  }

  /** @param {{ west: number, east: number, north: number, south: number }} box */
  fit({ west, east, north, south }) {
    const width = this.canvas.clientWidth - 140, height = this.canvas.clientHeight - 140;
    const zoom = Math.min(Math.log2(width / 256 / Math.max(east - west, 1e-6)), Math.log2(height / 256 / Math.max(south - north, 1e-6)));
    this.flyTo((west + east) / 2, (north + south) / 2, clamp(zoom, this.least, 15));
  }

  /** @param {number} x @param {number} y @param {number} zoom */
  flyTo(x, y, zoom) {
    cancelAnimationFrame(this.flight ?? 0);
    const from = { ...this.center, zoom: this.zoom }, began = performance.now(), lasts = moves() && this.painted ? 350 : 0;
    const frame = (/** @type {number} */ now) => {
      const t = lasts ? clamp((now - began) / lasts, 0, 1) : 1, k = 1 - (1 - t) ** 3;
      this.zoom = from.zoom + (zoom - from.zoom) * k;
      this.center = { x: from.x + (x - from.x) * k, y: from.y + (y - from.y) * k };
      this.paint();
      if (t < 1) this.flight = requestAnimationFrame(frame);
      else this.settle();
    };
    this.flight = requestAnimationFrame(frame);
  }

  /** @param {number} factor @param {{ x: number, y: number }} [at] the point that stays, from the middle */
  zoomBy(factor, { x, y } = { x: 0, y: 0 }) {
    const before = this.world;
    this.zoom = clamp(this.zoom + Math.log2(factor), this.least, MOST_ZOOM);
    this.center.x += x / before - x / this.world;
    this.center.y += y / before - y / this.world;
    this.paintSoon();
    this.settle();
  }

  /** @param {number} dx @param {number} dy pixels */
  pan(dx, dy) {
    this.center.x += dx / this.world;
    this.center.y += dy / this.world;
    this.paintSoon();
    this.settle();
  }

  /** @param {number} x @param {number} y */
  hit(x, y) {
    return this.clusters.findLast((c) => Math.abs(c.x - x) < PICTURE / 2 && Math.abs(c.y - y) < PICTURE / 2) ?? null;
  }

  paintSoon() {
    this.pending ||= requestAnimationFrame(() => this.paint());
  }

  /** The frame has come to rest: says what is in it. @param {boolean} [stay] */
  settle(stay = false) {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      const { west, east, north, south } = this.frame();
      /** @type {Set<number>} */ const ids = new Set();
      for (let i = 0; i < this.ids.length; i++) {
        const x = this.xs[i], y = this.ys[i];
        if (x >= west && x <= east && y >= north && y <= south) ids.add(this.ids[i]);
      }
      this.words.textContent = this.ids.length ? `${photos(ids.size)} here, ${count(this.ids.length)} with a place in all`
        : "No photo says where it was taken";
      this.inside(ids, stay);
    }, 160);
  }

  frame() {
    const w = this.canvas.clientWidth / this.world / 2, t = this.canvas.clientHeight / this.world / 2;
    return { west: this.center.x - w, east: this.center.x + w, north: this.center.y - t, south: this.center.y + t };
  }

  paint() {
    cancelAnimationFrame(this.pending);
    this.pending = 0;
    const { canvas } = this;
    const width = this.host.clientWidth, height = this.host.clientHeight, dense = devicePixelRatio;
    if (!width || !height) return;
    if (canvas.width !== Math.round(width * dense) || canvas.height !== Math.round(height * dense)) {
      canvas.width = Math.round(width * dense);
      canvas.height = Math.round(height * dense);
    }
    this.painted = true;
    this.zoom = Math.max(this.zoom, this.least);
    const margin = Math.min(0.5, width / this.world / 2);
    this.center.x = clamp(this.center.x, margin, 1 - margin);
    const ends = Math.min(0.5, height / this.world / 2);
    this.center.y = clamp(this.center.y, ends, 1 - ends);
    const style = getComputedStyle(this.host), paint = canvas.getContext("2d");
    if (!paint) return;
    const { west, east, north, south } = this.frame(), world = this.world;
    paint.setTransform(dense, 0, 0, dense, 0, 0);
    paint.fillStyle = style.getPropertyValue("--sea");
    paint.fillRect(0, 0, width, height);
    const trace = (/** @type {Outline[]} */ lines) => {
      paint.beginPath();
      // Land that lies on both sides of the date line is one piece that leaves the world at one side, so the world
      // is drawn at either side of itself too.
      for (const aside of [-1, 0, 1]) {
        for (const line of lines) {
          // What is outside the frame, or less than a pixel, is not drawn.
          if (line.east + aside < west || line.west + aside > east || line.south < north || line.north > south
            || (line.east - line.west) * world < 1) continue;
          const { points } = line;
          let lastX = -1e9, lastY = -1e9;
          for (let p = 0; p < points.length; p += 2) {
            const x = (points[p] + aside - west) * world, y = (points[p + 1] - north) * world;
            if (p && p < points.length - 2 && Math.abs(x - lastX) + Math.abs(y - lastY) < 0.7) continue;
            if (p) paint.lineTo(x, y);
            else paint.moveTo(x, y);
            lastX = x;
            lastY = y;
          }
        }
      }
    };
    trace(this.coast);
    paint.fillStyle = style.getPropertyValue("--land");
    paint.fill("evenodd");
    paint.lineWidth = 1;
    paint.lineJoin = "round";
    paint.strokeStyle = style.getPropertyValue("--coast");
    paint.stroke();
    trace(this.borders);
    paint.strokeStyle = style.getPropertyValue("--border");
    paint.stroke();
    this.gather(west, north, width, height);
    for (const cluster of this.clusters) this.drawCluster(paint, cluster, style);
  }

  /** Puts photos together by cells of the screen. @param {number} west @param {number} north @param {number} width @param {number} height */
  gather(west, north, width, height) {
    const world = this.world, columns = Math.ceil(width / CELL) + 3;
    // Cells are fixed to the world, so that clusters do not change while it is dragged.
    const shiftX = (west * world) % CELL, shiftY = (north * world) % CELL;
    /** @type {Map<number, Cluster>} */ const cells = new Map();
    for (let i = 0; i < this.ids.length; i++) {
      const x = (this.xs[i] - west) * world, y = (this.ys[i] - north) * world;
      if (x < -CELL || y < -CELL || x > width + CELL || y > height + CELL) continue;
      const cell = Math.floor((y + shiftY) / CELL + 2) * columns + Math.floor((x + shiftX) / CELL + 1);
      const c = cells.get(cell);
      if (!c) {
        cells.set(cell, { x, y, n: 1, id: this.ids[i], west: this.xs[i], east: this.xs[i], north: this.ys[i], south: this.ys[i] });
        continue;
      }
      c.x += x;
      c.y += y;
      c.n++;
      c.west = Math.min(c.west, this.xs[i]);
      c.east = Math.max(c.east, this.xs[i]);
      c.north = Math.min(c.north, this.ys[i]);
      c.south = Math.max(c.south, this.ys[i]);
    }
    this.clusters = [...cells.values()].sort((a, b) => a.n - b.n);
    for (const c of this.clusters) {
      c.x /= c.n;
      c.y /= c.n;
    }
    // Neighbours that would lie on each other are one.
    for (let i = this.clusters.length - 1; i > 0; i--) {
      const big = this.clusters[i];
      for (let k = i - 1; k >= 0; k--) {
        const c = this.clusters[k];
        if (Math.abs(c.x - big.x) > PICTURE * 0.8 || Math.abs(c.y - big.y) > PICTURE * 0.8) continue;
        big.n += c.n;
        big.west = Math.min(big.west, c.west);
        big.east = Math.max(big.east, c.east);
        big.north = Math.min(big.north, c.north);
        big.south = Math.max(big.south, c.south);
        this.clusters.splice(k, 1);
        i--;
      }
    }
  }

  /** @param {CanvasRenderingContext2D} paint @param {Cluster} c @param {CSSStyleDeclaration} style */
  drawCluster(paint, c, style) {
    const half = PICTURE / 2, x = Math.round(c.x - half), y = Math.round(c.y - half);
    paint.save();
    paint.shadowColor = "rgb(0 0 0 / .35)";
    paint.shadowBlur = 8;
    paint.shadowOffsetY = 2;
    paint.fillStyle = style.getPropertyValue("--frame");
    paint.beginPath();
    paint.roundRect(x, y, PICTURE, PICTURE, 9);
    paint.fill();
    paint.restore();
    const img = this.picture(c.id);
    if (img?.naturalWidth) {
      const side = Math.min(img.naturalWidth, img.naturalHeight);
      paint.save();
      paint.beginPath();
      paint.roundRect(x + 2.5, y + 2.5, PICTURE - 5, PICTURE - 5, 7);
      paint.clip();
      paint.drawImage(img, (img.naturalWidth - side) / 2, (img.naturalHeight - side) / 2, side, side, x + 2.5, y + 2.5, PICTURE - 5, PICTURE - 5);
      paint.restore();
    }
    if (c.n < 2) return;
    const text = c.n > 9999 ? Math.round(c.n / 1000) + "k" : count(c.n);
    paint.font = "600 11px system-ui, sans-serif";
    const wide = Math.max(20, paint.measureText(text).width + 11);
    paint.fillStyle = style.getPropertyValue("--accent");
    paint.beginPath();
    paint.roundRect(x + PICTURE - wide + 7, y - 7, wide, 20, 10);
    paint.fill();
    paint.fillStyle = style.getPropertyValue("--on-accent");
    paint.textAlign = "center";
    paint.textBaseline = "middle";
    paint.fillText(text, x + PICTURE - wide / 2 + 7, y + 3.5);
  }

  /** @param {number} id */
  picture(id) {
    let img = this.pictures.get(id);
    if (!img) {
      img = new Image();
      img.onload = () => this.paintSoon();
      img.src = pictureOf(id);
      this.pictures.set(id, img);
      if (this.pictures.size > 400) this.pictures.delete(/** @type {number} */ (this.pictures.keys().next().value));
    }
    return img;
  }
}
