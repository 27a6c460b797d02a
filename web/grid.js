/**
 * The grid: one view, as justified rows in a box that scrolls.
 *
 * Only rows near the window are elements, at most MOST_TILES pictures. The box is never higher than BOX, because
 * browsers cut a page off at some 18 to 33 million pixels; a longer view is shown through it by moving its base.
 */
import { GAP, HEADING, along, dateOf, dayAt, lastAtMost, layOut, lineOf } from "./layout.js";
import { photo, pictureOf } from "./api.js";
import { clamp, fileName, h, longDay, photos, sentence, shortDay, smallDay, smallYear, weekday } from "./dom.js";

const BOX = 8e6;
const MOST_TILES = 150;
/** Above this many pixels a second only blocks are drawn: pictures would be asked for and never seen. */
const FAST = 4000;
/** Milliseconds without scrolling after which it has come to rest. */
const REST = 90;
/** How long the side of a thumbnail is; larger tiles want the next size. */
const THUMB = 256;
const MOST_SHARPENED = 2;
/** Rows beyond the window that are made in one frame: more would make it late. */
const AHEAD = 2;

export class Grid {
  /** @param {HTMLElement} host @param {GridHooks} hooks */
  constructor(host, hooks) {
    this.host = host;
    this.hooks = hooks;
    this.box = h("div", { class: "box", role: "grid", "aria-label": "Photos", "aria-multiselectable": "true" });
    host.append(this.box);
    /** @type {View | null} */ this.view = null;
    /** @type {Layout | null} */ this.layout = null;
    /** @type {Map<number, Row>} */ this.rows = new Map();
    /** Rows that are not in the page. @type {Row[]} */ this.spare = [];
    /** Tiles that are in no row. @type {Tile[]} */ this.spareTiles = [];
    /** Tiles of the layout before, while the next is drawn. @type {Map<number, Tile>} */ this.kept = new Map();
    /** @type {Tile | null} */ this.focused = null;
    /** @type {Set<number>} */ this.selected = new Set();
    /** Photos that came while the page was open. @type {Set<number>} */ this.fresh = new Set();
    /** Photos whose picture is not whole. @type {Set<number>} */ this.hurt = new Set();
    /** Photos without a larger picture. @type {Set<number>} */ this.small = new Set();
    /** Larger pictures on their way. */
    this.sharpening = 0;
    this.cursor = 0;
    this.anchor = 0;
    this.base = 0;
    /** The top of the window in the view, and its height: kept, for asking the page would lay it out each time. */
    this.y = 0;
    this.seen = 0;
    this.lastY = 0;
    this.lastTime = 0;
    this.isFast = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */ this.resting = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */ this.filling = undefined;
    this.later = 0;

    host.addEventListener("scroll", () => this.onScroll(), { passive: true });
    this.box.addEventListener("click", (e) => this.onClick(e));
    // A picture that is shown between two steps of scrolling would have the page laid out once more: they wait for
    // the frame.
    /** @type {Element[]} */ let loaded = [];
    const show = () => {
      for (const img of loaded) if (img.hasAttribute("src")) img.className = "on";
      loaded = [];
      this.sharpen();
    };
    this.box.addEventListener("load", (e) => {
      if (loaded.push(/** @type {Element} */ (e.target)) > 1) return;
      if (this.isMoving) requestAnimationFrame(show);
      else show();
    }, true);
    this.box.addEventListener("error", (e) => this.onError(e), true);
    // Why a photo is not whole is asked for when somebody points at its mark.
    this.box.addEventListener("mouseover", async ({ target }) => {
      const tile = this.tileOf(target);
      if (!tile || !/** @type {Element} */ (target).matches(".hurt")) return;
      const why = (await photo(tile.photo).catch(() => null))?.pixels_why;
      if (why) /** @type {HTMLElement} */ (target).title = sentence(why);
    });
    this.box.addEventListener("contextmenu", (e) => {
      // A long press on a touch screen selects.
      const tile = this.tileOf(e.target);
      if (tile && matchMedia("(pointer: coarse)").matches) {
        e.preventDefault();
        this.toggle(tile.index);
      }
    });
    new ResizeObserver(() => this.resize()).observe(host);
  }

  /** @param {View} view @param {boolean} stay keep what is on screen where it is */
  show(view, stay = false) {
    const old = this.view;
    const at = stay && old && this.y > 4 ? this.firstSeen() : null;
    const cursor = stay && old ? old.ids[this.cursor] : 0;
    this.view = view;
    const found = cursor ? view.ids.indexOf(cursor) : 0;
    this.cursor = found < 0 ? clamp(this.cursor, 0, Math.max(0, view.n - 1)) : found;
    this.anchor = this.cursor;
    this.host.classList.toggle("empty", !view.n);
    this.place(old?.epoch === view.epoch);
    const kept = at ? view.ids.indexOf(at.id) : -1;
    this.toY(at && kept >= 0 && this.layout ? this.layout.top[lineOf(this.layout, kept)] - at.above
      : stay ? this.y : 0);
  }

  /** The photo at the top of the window, and how far above the window's top edge its row stands. */
  firstSeen() {
    const { layout, view } = this;
    if (!layout || !view?.n) return null;
    const y = this.y;
    let line = lastAtMost(layout.top, y + 1, layout.lines);
    if (!layout.rowHeight[line] && line + 1 < layout.lines) line++;
    return { id: view.ids[layout.first[line]], above: layout.top[line] - y };
  }

  resize() {
    this.seen = this.host.clientHeight;
    if (!this.view || !this.host.clientWidth) return;
    const width = this.inner();
    if (this.layout && Math.abs(width - this.layout.width) < 1) return this.draw();
    const at = this.y > 4 ? this.firstSeen() : null;
    this.place(true);
    const index = at ? this.view.ids.indexOf(at.id) : -1;
    this.toY(at && index >= 0 && this.layout ? this.layout.top[lineOf(this.layout, index)] - at.above : 0);
  }

  inner() {
    const style = getComputedStyle(this.host);
    return this.host.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  }

  /** @param {boolean} keep tiles are those of the same photos: pictures that are there stay, and do not flicker */
  place(keep) {
    const { view } = this;
    const focused = this.tileOf(document.activeElement);
    for (const row of this.rows.values()) {
      for (const tile of row.tiles) this.kept.set(tile.photo, tile);
      row.remove();
    }
    this.rows.clear();
    if (!keep) this.kept.clear();
    this.focused = focused;
    this.layout = null;
    if (!view || !this.host.clientWidth) return;
    const width = this.inner(), height = (this.seen = this.host.clientHeight);
    const wanted = width < 600 ? 118 : width < 1100 ? 170 : 210;
    // On a very large screen rows are higher, so that what is seen stays far below MOST_TILES.
    const target = Math.max(wanted, Math.sqrt((width * height) / 80));
    this.layout = layOut(view, width, Math.min(target, width), !view.groups);
    this.box.style.height = Math.min(this.layout.height, BOX) + "px";
    this.box.setAttribute("aria-rowcount", String(this.layout.lines));
  }

  /** Somebody scrolls. */
  get isMoving() {
    return performance.now() - this.lastTime < REST;
  }

  /** The end of what can be scrolled to. */
  get last() {
    return this.layout ? Math.max(0, this.layout.height - this.seen + 16) : 0;
  }

  /** @param {number} y */
  toY(y) {
    if (!this.layout) return;
    const total = this.layout.height;
    y = clamp(y, 0, this.last);
    this.base = total <= BOX ? 0 : clamp(Math.round(y - BOX / 2), 0, Math.round(total - BOX));
    this.host.scrollTop = y - this.base;
    this.lastY = this.y = y;
    this.draw();
    this.hooks.moved();
  }

  onScroll() {
    const { host, layout } = this;
    if (!layout) return;
    const now = performance.now(), top = host.scrollTop, y = this.base + top;
    // Where the grid has scrolled itself.
    if (Math.abs(y - this.y) < 1) return;
    this.y = y;
    const speed = Math.abs(y - this.lastY) / Math.max(1, now - this.lastTime) * 1000;
    this.lastTime = now;
    this.lastY = y;
    this.goes(speed > FAST);
    const end = layout.height - BOX;
    if ((this.base > 0 && top < BOX / 8) || (this.base < end && top > BOX * 7 / 8)) {
      this.toY(y);
      return;
    }
    this.draw();
    this.hooks.moved();
  }

  /** @param {boolean} isFast */
  goes(isFast) {
    this.isFast = isFast;
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.rest(), REST);
  }

  /** Scrolling has ended: pictures that were held back are asked for. */
  rest() {
    this.resting = undefined;
    if (this.isFast) {
      this.isFast = false;
      this.draw();
    }
    this.fill();
    this.order();
    this.sharpen();
  }

  /** Rows in the order they are read in: what is used again stands somewhere. A row with the focus would lose it. */
  order() {
    const rows = [...this.rows].sort(([a], [b]) => a - b).map(([, row]) => row);
    const at = Math.max(0, rows.findIndex((row) => row.contains(document.activeElement)));
    for (let k = at + 1; k < rows.length; k++) if (rows[k - 1].nextSibling !== rows[k]) rows[k - 1].after(rows[k]);
    for (let k = at - 1; k >= 0; k--) if (rows[k + 1].previousSibling !== rows[k]) rows[k + 1].before(rows[k]);
  }

  /** Makes the rows near the window elements, and no others. */
  draw() {
    const { layout, seen: height, y, rows } = this;
    if (!layout) return;
    // What is beyond the window has been passed before it is seen.
    const margin = this.isFast ? 0 : height * 0.6;
    const at = lastAtMost(layout.top, Math.max(0, y), layout.lines);
    let from = at, to = from;
    while (to < layout.lines && layout.top[to] < y + height) to++;
    const end = to;
    // Beyond the window, below first, as far as there may be tiles.
    while (to < layout.lines && layout.top[to] < y + height + margin
      && layout.first[to + 1] - layout.first[from] < MOST_TILES) to++;
    while (from > 0 && layout.top[from] > y - margin
      && layout.first[to] - layout.first[from - 1] < MOST_TILES) from--;
    // Rows that are left behind become those that are needed.
    /** @type {Row[]} */ const free = [];
    for (const [line, row] of rows) {
      if (line >= from && line < to) continue;
      rows.delete(line);
      // A focused element that leaves the page would take the keys with it.
      if (row.contains(document.activeElement)) this.host.focus({ preventScroll: true });
      if (row.tiles.length) free.push(row);
      else row.remove();
    }
    let ahead = AHEAD;
    const draw = (/** @type {number} */ line) => {
      let row = rows.get(line);
      if (!row) {
        if ((line < at || line >= end) && ahead-- <= 0) return;
        // Best one with as many photos.
        const same = free.findIndex(({ tiles }) => tiles.length === layout.first[line + 1] - layout.first[line]);
        row = layout.rowHeight[line] ? this.make(line, free.splice(same, 1)[0]) : this.heading(line);
        rows.set(line, row);
        const next = rows.get(line + 1);
        if (!row.isConnected) next ? next.before(row) : this.box.append(row);
      }
      const top = layout.top[line] - this.base;
      if (row.top !== top) row.style.transform = `translateY(${(row.top = top)}px)`;
    };
    for (let line = at; line < to; line++) draw(line);
    for (let line = at - 1; line >= from; line--) draw(line);
    for (const row of free) {
      for (const tile of row.tiles) tile.img.removeAttribute("src");
      row.remove();
      if (this.spare.length < 40) this.spare.push(row);
    }
    this.kept.clear();
    if (this.focused) {
      // It has been out of the page for a moment.
      (this.focused.isConnected ? this.focused : this.host).focus({ preventScroll: true });
      this.focused = null;
    }
    if (ahead < 0) this.later ||= requestAnimationFrame(() => {
      this.later = 0;
      this.draw();
    });
    // Asking for pictures takes longer than making their rows, and is nothing that a frame of scrolling shows.
    if (this.isMoving) this.filling ||= setTimeout(() => this.fill());
    else this.fill();
    if (!this.isFast && !this.resting) this.resting = setTimeout(() => this.rest(), REST);
    this.reachable();
  }

  /** @param {number} line @param {Row} [row] one that is used again, where it is in the page @returns {Row} */
  make(line, row) {
    const layout = /** @type {Layout} */ (this.layout), view = /** @type {View} */ (this.view);
    row ??= this.spare.pop() ?? /** @type {Row} */ (Object.assign(h("div", { role: "row", class: "row" }), { top: NaN, tiles: [] }));
    const { tiles } = row, first = layout.first[line], n = layout.first[line + 1] - first;
    for (const tile of tiles.splice(n)) {
      tile.remove();
      this.spareTiles.push(tile);
    }
    while (tiles.length < n) {
      const tile = this.spareTiles.pop() ?? newTile();
      tiles.push(tile);
      row.append(tile);
    }
    row.setAttribute("aria-rowindex", String(line + 1));
    const height = layout.rowHeight[line];
    row.style.height = height + "px";
    let date = -1, taken = "";
    along(view, layout, line, (index, left, width, day) => {
      const id = view.ids[index], kept = this.kept.get(id), place = index - first;
      if (kept) {
        tiles[place].replaceWith(kept);
        tiles[place] = kept;
      }
      const tile = tiles[place];
      tile.index = index;
      tile.style.left = left + "px";
      tile.style.width = width + "px";
      tile.side = Math.max(width, height);
      if (!kept) {
        tile.photo = id;
        tile.sharp = 0;
        tile.className = this.fresh.has(id) ? "tile fresh" : "tile";
        while (tile.childElementCount > 2) tile.lastChild?.remove();
        tile.img.className = "";
        tile.img.removeAttribute("src");
        const alike = view.groups?.[day] ?? 0;
        if (this.hurt.has(id)) tile.append(hurtMark());
        if (alike && index === view.ends[day] - alike) tile.append(h("span", { class: "alike" }, alike > 1 ? `${alike} alike` : "at several places"));
      }
      if (this.selected.size || tile.ariaSelected === "true") tile.ariaSelected = String(this.selected.has(id));
      if (view.days.length && day !== date) taken = ", " + shortDay.format(dateOf(view.days[(date = day)]));
      const alike = view.groups && tile.querySelector(".alike")?.textContent;
      tile.ariaLabel = `Photo ${index + 1} of ${view.n}${taken}${alike ? ", " + alike : ""}${this.hurt.has(id) ? ", not whole" : ""}`;
      if (view.ranked || tile.title) tile.title = view.ranked ? `Closeness ${Math.round(view.scores[index] / 2.55)} of 100` : "";
    });
    return row;
  }

  /** What stands above a row: its day, several that share it, or what a search says. @param {number} line @returns {Row} */
  heading(line) {
    const layout = /** @type {Layout} */ (this.layout), view = /** @type {View} */ (this.view);
    const first = layout.first[line], row = /** @type {Row} */ (Object.assign(h("div", { role: "row", class: "heading",
      "aria-rowindex": line + 1 }), { top: NaN, tiles: [] }));
    const add = (/** @type {string} */ text, /** @type {number} */ from, /** @type {number} */ end, /** @type {string} */ more, whole = text) => {
      const part = /** @type {HTMLElement} */ (HEADER.cloneNode(true)), [title, small, all] = part.children;
      if (whole !== text) part.title = whole;
      title.textContent = text;
      small.textContent = more;
      Object.assign(all, { from, end }).ariaLabel = `Select ${photos(end - from)}: ${whole}`;
      row.append(part);
      return part;
    };
    const height = layout.top[line + 1] - layout.top[line];
    if (view.ranked) {
      const isSure = !first && view.confident > 0, n = isSure ? Math.min(view.confident, view.n) : view.n;
      row.classList.toggle("unsure", !isSure);
      add(isSure ? `${photos(n)} found` : first ? "Less sure from here" : "Nothing sure; the closest there is", first, n, "");
    } else if (!view.days.length) add("All", 0, view.n, photos(view.n));
    else if (Math.round(height) === HEADING) {
      const day = dayAt(view, first), end = view.ends[day];
      add(longDay.format(dateOf(view.days[day])), first, end, photos(end - first));
    } else {
      row.classList.add("days");
      let room = 0, year = NaN;
      /** @type {HTMLElement | undefined} */ let part;
      along(view, layout, line + 1, (index, left, width, of) => {
        if (index === (of ? view.ends[of - 1] : 0)) {
          const date = dateOf(view.days[of]), isNew = date.getUTCFullYear() !== year;
          year = date.getUTCFullYear();
          part = add((isNew ? smallYear : smallDay).format(date), index, view.ends[of], weekday.format(date), longDay.format(date));
          part.style.left = (room = left) + "px";
        }
        if (part) part.style.width = left + width - room + "px";
      });
    }
    row.style.height = height + "px";
    return row;
  }

  /** Asks for the pictures of those blocks that have none. */
  fill() {
    clearTimeout(this.filling);
    this.filling = undefined;
    if (this.isFast) return;
    for (const row of this.rows.values()) {
      for (const { img, photo: id } of row.tiles) if (!img.hasAttribute("src")) img.src = pictureOf(id);
    }
  }

  /**
   * Larger pictures where thumbnails have fewer pixels than the screen. They take long to make, and a browser has six
   * connections: so when all thumbnails are there, and few at once.
   */
  sharpen() {
    if (this.resting || this.sharpening >= MOST_SHARPENED) return;
    const tiles = [...this.rows.values()].flatMap((row) => row.tiles);
    if (tiles.some((tile) => !tile.img.className && !tile.classList.contains("bare"))) return;
    const tile = tiles.find(({ photo: id, side, sharp }) => side * devicePixelRatio > THUMB * 1.3 && sharp !== id && !this.small.has(id));
    if (!tile) return;
    const id = (tile.sharp = tile.photo), larger = new Image();
    this.sharpening++;
    larger.src = pictureOf(id, 512);
    larger.decode().then(() => {
      if (tile.photo === id && tile.isConnected && tile.img.hasAttribute("src")) tile.img.src = larger.src;
    }, () => this.small.add(id)).then(() => {
      this.sharpening--;
      this.sharpen();
    });
    this.sharpen();
  }

  /** No picture: a card says what it is. @param {Event} event */
  async onError(event) {
    const img = /** @type {HTMLImageElement} */ (event.target);
    const tile = this.tileOf(img);
    if (!tile || !img.hasAttribute("src")) return;
    const id = tile.photo;
    tile.classList.add("bare");
    this.sharpen();
    const known = await photo(id).catch(() => null);
    if (tile.photo !== id || tile.querySelector(".card")) return;
    tile.append(h("span", { class: "card", title: known?.pixels_why ? sentence(known.pixels_why) : null }, h("b", {}, known?.format?.toUpperCase() ?? "No picture"),
      known && h("i", {}, known.damaged ? "damaged" : "no picture"), known ? fileName(known.path) : "not there any more"));
  }

  /** Marks those whose picture is not whole. @param {Iterable<number>} ids */
  mark(ids) {
    this.hurt = new Set(ids);
    for (const { tiles } of this.rows.values()) {
      for (const tile of tiles) {
        const has = tile.querySelector(".hurt"), is = this.hurt.has(tile.photo);
        if (Boolean(has) === is) continue;
        has?.remove();
        if (is) tile.append(hurtMark());
        tile.ariaLabel = (tile.ariaLabel ?? "").replace(", not whole", "") + (is ? ", not whole" : "");
      }
    }
  }

  /** @param {EventTarget | null} target @returns {Tile | null} */
  tileOf(target) {
    return target instanceof Element ? target.closest(".tile") : null;
  }

  /** @param {number} index @returns {Tile | undefined} */
  tileAt(index) {
    if (!this.layout) return undefined;
    const line = lineOf(this.layout, index);
    return this.rows.get(line)?.tiles[index - this.layout.first[line]];
  }

  /** One tile takes Tab: the cursor's, or the first that is seen where that is elsewhere. */
  reachable() {
    const tile = this.tileAt(this.cursor) ?? this.firstTile();
    if (tile === this.tabbed && tile?.tabIndex === 0) return;
    if (this.tabbed) this.tabbed.tabIndex = -1;
    /** @type {Tile | undefined} */ this.tabbed = tile;
    if (tile) tile.tabIndex = 0;
  }

  firstTile() {
    const y = this.y;
    /** @type {Tile | undefined} */ let found;
    for (const [line, { tiles }] of this.rows) {
      if (tiles.length && this.layout && this.layout.top[line] >= y && !(found && found.index < tiles[0].index)) found = tiles[0];
    }
    return found;
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const target = /** @type {Element} */ (event.target), all = /** @type {{ from: number, end: number } | null} */ (
      /** @type {unknown} */ (target.closest(".all")));
    if (all) return this.toggleGroup(all.from, all.end);
    const tile = this.tileOf(target);
    if (!tile) return;
    const check = target.closest(".check");
    if (event.shiftKey) this.selectTo(tile.index);
    else if (check || event.ctrlKey || event.metaKey || this.selected.size) this.toggle(tile.index);
    else {
      this.cursor = this.anchor = tile.index;
      this.hooks.open(tile.index);
    }
  }

  /** @param {number} index */
  toggle(index) {
    const id = this.view?.ids[index];
    if (id === undefined) return;
    if (!this.selected.delete(id)) this.selected.add(id);
    this.cursor = this.anchor = index;
    this.showSelected();
  }

  /** From where selecting began. @param {number} index */
  selectTo(index) {
    const view = this.view;
    if (!view) return;
    for (let i = Math.min(index, this.anchor); i <= Math.max(index, this.anchor); i++) this.selected.add(view.ids[i]);
    this.cursor = index;
    this.showSelected();
  }

  /** @param {number} first @param {number} end */
  toggleGroup(first, end) {
    const ids = this.view?.ids.subarray(first, end) ?? [];
    const all = ids.every((/** @type {number} */ id) => this.selected.has(id));
    for (const id of ids) all ? this.selected.delete(id) : this.selected.add(id);
    this.showSelected();
  }

  selectAll() {
    for (const id of this.view?.ids ?? []) this.selected.add(id);
    this.showSelected();
  }

  clearSelection() {
    this.selected.clear();
    this.showSelected();
  }

  showSelected() {
    for (const row of this.rows.values()) {
      for (const tile of row.tiles) tile.setAttribute("aria-selected", String(this.selected.has(tile.photo)));
    }
    this.host.classList.toggle("choosing", this.selected.size > 0);
    this.reachable();
    this.hooks.chosen();
  }

  /** Brings a photo into the window. @param {number} index @param {boolean} [middle] */
  reveal(index, middle = false) {
    const { layout } = this;
    if (!layout || !this.view?.n) return;
    this.cursor = index;
    const line = lineOf(layout, index), top = layout.top[line], height = layout.rowHeight[line];
    // With its heading.
    const { seen, y } = this, above = layout.top[line - (layout.rowHeight[line - 1] ? 0 : 1)] ?? top;
    if (middle ? top < y || top + height > y + seen : false) this.toY(top - (seen - height) / 2);
    else if (above < y) this.toY(above);
    else if (top + height + 12 > y + seen) this.toY(top + height + 12 - seen);
    this.reachable();
  }

  /** @param {number} index */
  focus(index) {
    this.reveal(index);
    this.tileAt(index)?.focus({ preventScroll: true });
  }

  /** The photo a row above or below, at about the same place. @param {number} by @returns {number} */
  beside(by) {
    const { layout, view } = this;
    if (!layout || !view) return this.cursor;
    const step = by < 0 ? -1 : 1;
    let line = lineOf(layout, this.cursor);
    let middle = 0;
    along(view, layout, line, (index, left, width) => {
      if (index === this.cursor) middle = left + width / 2;
    });
    for (let left = Math.abs(by); left; left--) {
      let next = line + step;
      while (next >= 0 && next < layout.lines && !layout.rowHeight[next]) next += step;
      if (next < 0 || next >= layout.lines) break;
      line = next;
    }
    let best = this.cursor, nearest = Infinity;
    along(view, layout, line, (index, left, width) => {
      const off = Math.abs(left + width / 2 - middle);
      if (off < nearest) [nearest, best] = [off, index];
    });
    return best;
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key was one of the grid's */
  onKey(event) {
    const { view, layout } = this;
    if (!view?.n || !layout) return false;
    const rows = Math.max(1, Math.floor(this.seen / (layout.rowHeight[lineOf(layout, this.cursor)] + GAP)));
    const inGrid = this.host.contains(document.activeElement);
    // An arrow begins at what is seen, wherever the cursor was left.
    const first = event.key.startsWith("Arrow") && !this.tileAt(this.cursor) ? this.firstTile()?.index : undefined;
    /** @type {Record<string, () => number>} */
    const moves = {
      ArrowLeft: () => this.cursor - 1,
      ArrowRight: () => this.cursor + 1,
      ArrowUp: () => this.beside(-1),
      ArrowDown: () => this.beside(1),
      PageUp: () => this.beside(-rows),
      PageDown: () => this.beside(rows),
      Home: () => 0,
      End: () => view.n - 1,
    };
    const move = moves[event.key];
    if (move) {
      const to = clamp(first ?? move(), 0, view.n - 1);
      if (event.shiftKey) this.selectTo(to);
      else this.anchor = to;
      this.focus(to);
      return true;
    }
    if (event.key === "x" || (event.key === " " && inGrid)) {
      if (event.shiftKey) this.selectTo(this.cursor);
      else this.toggle(this.cursor);
      return true;
    }
    if (event.key === "Enter" && (inGrid || document.activeElement === document.body)) {
      this.hooks.open(this.cursor);
      return true;
    }
    return false;
  }
}

/** Both are copied, which takes less than building each. */
const HEADER = h("div", { role: "rowheader" }, h("b"), h("small"), h("button", { type: "button", class: "all", tabindex: -1 }, h("span", { class: "check" })));
const PATTERN = h("div", { class: "tile", role: "gridcell", tabindex: -1, "aria-selected": "false" },
  h("img", { alt: "", decoding: "async", draggable: "false" }), h("span", { class: "check", "aria-hidden": "true" }));

const hurtMark = () => h("span", { class: "hurt", title: "This picture is not whole", "aria-hidden": "true" }, "!");

function newTile() {
  const tile = /** @type {Tile} */ (PATTERN.cloneNode(true));
  return Object.assign(tile, { index: 0, photo: 0, sharp: 0, side: 0, img: /** @type {HTMLImageElement} */ (tile.firstChild) });
}
