/**
 * One photo over the whole window: its thumbnail at once, 1440 pixels when they are there, the original when
 * somebody zooms in. Its neighbours are fetched while it is looked at.
 */
import { photo } from "./api.js";
import { byId, clamp, fileName, h, iconButton, say, sentence } from "./dom.js";

/** @typedef {import("./grid.js").Grid} Grid */
/** Formats that browsers show; of others the preview is the best there is. */
const SHOWN = new Set(["jpeg", "jpg", "png", "gif", "webp", "avif", "bmp"]);
const MOST_ZOOM = 12;

export class Viewer {
  /** @param {Grid} grid @param {ViewerHooks} hooks */
  constructor(grid, hooks) {
    this.grid = grid;
    this.hooks = hooks;
    this.id = 0;
    this.index = 0;
    this.boxes = false;
    /** Whose original is on its way. */
    this.wanted = 0;
    this.zoom = { scale: 1, x: 0, y: 0 };
    this.host = /** @type {HTMLDialogElement} */ (byId("viewer"));
    this.stage = h("div", { class: "stage", tabindex: -1 });
    this.frame = h("div", { class: "frame" });
    this.img = h("img", { alt: "", draggable: "false" });
    this.layer = h("div", { class: "areas" });
    this.note = h("div", { class: "bare-note", hidden: true });
    this.frame.append(this.img, this.layer);
    this.panel = h("aside", { class: "panel", "aria-label": "What is known of this photo", tabindex: 0, hidden: localStorage.info !== "1" });
    this.title = h("div", { class: "title" });
    const info = iconButton("info", "Details", () => this.toggleInfo(), "i");
    info.setAttribute("aria-pressed", String(!this.panel.hidden));
    this.infoButton = info;
    this.chooser = iconButton("check", "Select", () => this.toggle(), "x");
    this.areaButton = iconButton("boxes", "Boxes and text", () => this.toggleAreas(), "b");
    const bar = h("div", { class: "bar" },
      iconButton("back", "Back to the photos", () => this.close(), "Esc"), this.title, h("span", { class: "gap" }),
      this.chooser, iconButton("similar", "Similar photos", () => this.similar(), "s"), this.areaButton, info);
    this.before = iconButton("left", "Newer photo", () => this.step(-1), "←");
    this.after = iconButton("right", "Older photo", () => this.step(1), "→");
    this.before.classList.add("side", "before");
    this.after.classList.add("side", "after");
    this.stage.append(this.frame, this.note, this.before, this.after);
    this.host.append(bar, this.stage, this.panel);
    this.host.addEventListener("cancel", (e) => {
      e.preventDefault();
      this.close();
    });
    this.pointers();
    new ResizeObserver(() => this.id && this.fit()).observe(this.stage);
  }

  get isOpen() {
    return this.host.open;
  }

  /** @param {number} id */
  show(id) {
    const view = this.grid.view;
    if (!id) {
      if (this.isOpen) this.hide();
      return;
    }
    const at = view ? view.ids[this.index] === id ? this.index : view.ids.indexOf(id) : -1;
    this.index = at;
    if (!this.isOpen) {
      this.host.showModal();
      this.stage.focus();
    }
    if (this.id === id) return;
    this.id = id;
    this.zoom = { scale: 1, x: 0, y: 0 };
    this.sides();
    this.chooser.setAttribute("aria-pressed", String(this.grid.selected.has(id)));
    this.note.hidden = true;
    this.layer.replaceChildren();
    this.ratio = at >= 0 && view ? 2 ** ((view.ratios[at] - 128) / 32) : 1.5;
    this.pictures(id);
    this.fit();
    this.describe(id);
    if (at >= 0 && view) {
      for (const next of [at + 1, at - 1]) {
        if (next >= 0 && next < view.n) new Image().src = this.address(view.ids[next]);
      }
    }
  }

  /** @param {number} id */
  address(id) {
    return `/p/${this.grid.view?.epoch}/${id}?s=1440`;
  }

  /** @param {number} id */
  async pictures(id) {
    const { img } = this;
    /** @type {0 | 1 | 2} */ this.level = 0;
    img.classList.remove("none");
    img.src = `/t/${this.grid.view?.epoch}/${id}`;
    img.onerror = () => img.classList.add("none");
    const known = photo(id).catch((e) => e);
    if (await this.better(id, this.address(id), 1)) return;
    const { format = "", path = "", pixels_why: broken } = await known;
    if (SHOWN.has(format) && await this.better(id, "/o/" + id, 2)) return;
    const why = broken ?? (path && await fetch(this.address(id)).then((r) => r.json()).then((said) => said.error).catch(() => ""));
    if (this.id !== id || !img.classList.contains("none") && img.naturalWidth) return;
    this.note.hidden = false;
    this.note.replaceChildren(h("b", {}, format.toUpperCase() || "No picture"), h("span", {}, path ? fileName(path)
      : "This photo is not there any more."), h("p", {}, why ? sentence(why) : ""));
  }

  /** @param {number} id @param {string} src @param {1 | 2} level @returns {Promise<boolean>} */
  async better(id, src, level) {
    const next = new Image();
    next.src = src;
    try {
      await next.decode();
    } catch {
      return this.id !== id;
    }
    if (this.id !== id || (this.level ?? 0) >= level) return true;
    this.level = level;
    this.img.classList.remove("none");
    this.img.src = src;
    const ratio = next.naturalWidth / next.naturalHeight;
    if (Math.abs(ratio / (this.ratio ?? 1) - 1) > 0.001) {
      this.ratio = ratio;
      this.fit();
    }
    return true;
  }

  /** The frame has the picture's shape, in the middle of the stage, whatever is in it so far. */
  fit() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    const ratio = this.ratio ?? 1;
    const w = Math.min(width, height * ratio);
    this.fitted = { width: w, height: w / ratio };
    this.frame.style.width = w + "px";
    this.frame.style.height = w / ratio + "px";
    this.frame.style.left = (width - w) / 2 + "px";
    this.frame.style.top = (height - w / ratio) / 2 + "px";
    this.turn();
  }

  turn() {
    const { scale } = this.zoom;
    const { width = 0, height = 0 } = this.fitted ?? {};
    const overX = Math.max(0, (width * scale - this.stage.clientWidth) / 2);
    const overY = Math.max(0, (height * scale - this.stage.clientHeight) / 2);
    if (scale > 1) {
      this.zoom.x = clamp(this.zoom.x, -overX, overX);
      this.zoom.y = clamp(this.zoom.y, -overY, overY);
    }
    this.frame.style.transform = `translate(${this.zoom.x}px,${this.zoom.y}px) scale(${scale})`;
    this.stage.classList.toggle("zoomed", scale > 1);
    if (scale > 1 && width * scale * devicePixelRatio > 1440 && this.level !== 2) this.original();
  }

  async original() {
    const { id } = this;
    if (this.wanted === id) return;
    this.wanted = id;
    const known = await photo(id).catch(() => null);
    if (known && this.id === id && SHOWN.has(known.format)) await this.better(id, "/o/" + id, 2);
    if (this.wanted === id) this.wanted = 0;
  }

  /** @param {number} factor @param {number} [x] @param {number} [y] the point that stays, in the window */
  zoomBy(factor, x, y) {
    const box = this.stage.getBoundingClientRect();
    const cx = (x ?? box.left + box.width / 2) - box.left - box.width / 2;
    const cy = (y ?? box.top + box.height / 2) - box.top - box.height / 2;
    const scale = clamp(this.zoom.scale * factor, 1, MOST_ZOOM);
    const real = scale / this.zoom.scale;
    this.zoom = scale === 1 ? { scale, x: 0, y: 0 }
      : { scale, x: cx - (cx - this.zoom.x) * real, y: cy - (cy - this.zoom.y) * real };
    this.turn();
  }

  /** Drag, pinch, swipe and wheel. */
  pointers() {
    /** @type {Map<number, {x: number, y: number}>} */ const down = new Map();
    let start = { x: 0, y: 0 }, moved = false, pinched = false;
    const { stage } = this;
    stage.addEventListener("wheel", (e) => {
      e.preventDefault();
      this.zoomBy(Math.exp(-e.deltaY * (e.ctrlKey ? 0.01 : 0.002)), e.clientX, e.clientY);
    }, { passive: false });
    stage.addEventListener("dblclick", (e) => {
      if (!/** @type {Element} */ (e.target).closest("button")) this.zoomBy(this.zoom.scale > 1 ? 1 / MOST_ZOOM : 2.5, e.clientX, e.clientY);
    });
    stage.addEventListener("pointerdown", (e) => {
      if (/** @type {Element} */ (e.target).closest("button")) return;
      down.set(e.pointerId, { x: e.clientX, y: e.clientY });
      stage.setPointerCapture(e.pointerId);
      if (down.size === 1) {
        start = { x: e.clientX, y: e.clientY };
        moved = pinched = false;
      } else pinched = true;
    });
    stage.addEventListener("pointermove", (e) => {
      const last = down.get(e.pointerId);
      if (!last) return;
      const now = { x: e.clientX, y: e.clientY };
      if (down.size === 2) {
        const other = [...down].find(([id]) => id !== e.pointerId)?.[1] ?? now;
        const before = Math.hypot(last.x - other.x, last.y - other.y), after = Math.hypot(now.x - other.x, now.y - other.y);
        if (before > 0) this.zoomBy(after / before, (now.x + other.x) / 2, (now.y + other.y) / 2);
      } else {
        moved ||= Math.hypot(now.x - start.x, now.y - start.y) > 6;
        if (this.zoom.scale > 1 || (moved && !pinched && e.pointerType !== "mouse")) {
          this.zoom.x += now.x - last.x;
          if (this.zoom.scale > 1 || now.y > start.y) this.zoom.y += now.y - last.y;
          this.turn();
        }
      }
      down.set(e.pointerId, now);
    });
    const up = (/** @type {PointerEvent} */ e) => {
      if (!down.delete(e.pointerId) || down.size || this.zoom.scale > 1) return;
      const { x, y } = this.zoom;
      this.zoom.x = this.zoom.y = 0;
      if (y > 110 && y > Math.abs(x)) return this.close();
      if (Math.abs(x) > 60) this.step(x < 0 ? 1 : -1);
      this.turn();
    };
    stage.addEventListener("pointerup", up);
    stage.addEventListener("pointercancel", up);
  }

  /** @param {number} by */
  step(by) {
    this.goTo((by > 0 ? Math.floor : Math.ceil)(this.index) + by);
  }

  /** @param {number} to */
  goTo(to) {
    const view = this.grid.view;
    if (!view || this.index === -1 || to < 0 || to >= view.n) return;
    this.index = to;
    this.hooks.moved(view.ids[to]);
  }

  /** The view is another one. */
  again() {
    const view = this.grid.view;
    if (!this.isOpen || !view) return;
    const at = view.ids.indexOf(this.id);
    if (at >= 0) this.index = at;
    else if (this.index >= 0 && Number.isInteger(this.index)) {
      say("This photo is not in the view any more");
      // Between those that were its neighbours.
      this.index = Math.min(this.index, view.n) - 0.5;
    }
    this.sides();
    this.describe(this.id);
  }

  sides() {
    const n = this.grid.view?.n ?? 0;
    this.before.hidden = this.index <= 0;
    this.after.hidden = this.index === -1 || this.index >= n - 1;
  }

  close() {
    this.hooks.moved(0);
  }

  hide() {
    this.host.close();
    const { id, index: at } = this;
    this.id = 0;
    this.img.removeAttribute("src");
    // Back to that photo, not to where the grid was left; another view begins where it begins.
    if (this.grid.view?.ids[at] === id) {
      this.grid.reveal(at, true);
      this.grid.focus(at);
    }
  }

  toggle() {
    if (this.index < 0) return;
    this.grid.toggle(this.index);
    this.chooser.setAttribute("aria-pressed", String(this.grid.selected.has(this.id)));
  }

  similar() {
    this.hooks.search({ like: this.id });
  }

  toggleInfo() {
    this.panel.hidden = !this.panel.hidden;
    localStorage.info = this.panel.hidden ? "0" : "1";
    this.infoButton.setAttribute("aria-pressed", String(!this.panel.hidden));
    this.fit();
  }

  toggleAreas() {
    this.boxes = !this.boxes;
    this.areaButton.setAttribute("aria-pressed", String(this.boxes));
    this.describe(this.id);
  }

  /** @param {number} id */
  async describe(id) {
    let known, words;
    try {
      [known, words] = await Promise.all([photo(id), import("./details.js")]);
    } catch (e) {
      if (this.id === id) {
        this.title.textContent = "";
        this.panel.replaceChildren(h("p", {}, e instanceof Error ? e.message : String(e)));
      }
      return;
    }
    if (this.id !== id) return;
    const { areas, details, when } = words;
    this.title.textContent = when(known);
    this.img.alt = known.caption || known.title || fileName(known.path);
    this.panel.replaceChildren(...details(known, (query) => this.hooks.search(query)));
    this.layer.replaceChildren(...(this.boxes ? areas(known) : []));
    if (this.boxes && !this.layer.childElementCount) say("No boxes and no text are known of this photo");
  }

  /** @param {KeyboardEvent} event @returns {boolean} */
  onKey(event) {
    const pan = 80;
    const zoomed = this.zoom.scale > 1;
    const move = (/** @type {number} */ x, /** @type {number} */ y) => {
      this.zoom.x += x;
      this.zoom.y += y;
      this.turn();
    };
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowLeft: () => (zoomed ? move(pan, 0) : this.step(-1)),
      ArrowRight: () => (zoomed ? move(-pan, 0) : this.step(1)),
      ArrowUp: () => zoomed && move(0, pan),
      ArrowDown: () => zoomed && move(0, -pan),
      PageUp: () => this.step(-1),
      PageDown: () => this.step(1),
      Home: () => this.goTo(0),
      End: () => this.goTo((this.grid.view?.n ?? 0) - 1),
      "+": () => this.zoomBy(1.5), "=": () => this.zoomBy(1.5), "-": () => this.zoomBy(1 / 1.5),
      0: () => this.zoomBy(1 / MOST_ZOOM),
      i: () => this.toggleInfo(), s: () => this.similar(), x: () => this.toggle(), b: () => this.toggleAreas(),
      Escape: () => (zoomed ? this.zoomBy(1 / MOST_ZOOM) : this.close()),
    };
    keys[event.key]?.();
    return event.key in keys;
  }
}
