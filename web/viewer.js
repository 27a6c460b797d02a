/**
 * One photo over the whole window: its thumbnail at once, 1440 pixels when they are there, the original when
 * somebody zooms in. Its neighbours are fetched while it is looked at.
 */
import { photo, pictureOf } from "./api.js";
import { byId, clamp, fileName, gestures, h, pressable, say, sentence } from "./dom.js";

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
    const part = (/** @type {string} */ which) => /** @type {HTMLElement} */ (this.host.querySelector(which));
    this.stage = part(".stage");
    this.frame = part(".frame");
    this.img = /** @type {HTMLImageElement} */ (part(".frame img"));
    this.layer = part(".areas");
    this.note = part(".bare-note");
    this.panel = part(".panel");
    this.panel.hidden = localStorage.info !== "1";
    this.title = part(".title");
    /** The button of a key. @type {(key: string) => HTMLElement} */
    this.button = (key) => part(`[data-key="${key}"]`);
    pressable(this.host, () => this.keys());
    this.lights();
    this.host.addEventListener("cancel", (e) => {
      e.preventDefault();
      this.close();
    });
    gestures(this.stage, {
      zoom: (factor, at) => this.zoomBy(factor || (this.zoom.scale > 1 ? 1 / MOST_ZOOM : 2.5), at),
      drag: (x, y, e, moved) => {
        if (this.zoom.scale > 1) this.move(x, y);
        else if (moved > 6 && e.pointerType !== "mouse") this.move(x, Math.max(y, -this.zoom.y));
      },
      up: () => {
        const { scale, x, y } = this.zoom;
        if (scale > 1) return;
        this.zoom.x = this.zoom.y = 0;
        if (y > 110 && y > Math.abs(x)) return this.close();
        if (Math.abs(x) > 60) this.step(x < 0 ? 1 : -1);
        this.turn();
      },
    });
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
    this.lights();
    this.note.hidden = true;
    this.layer.replaceChildren();
    this.ratio = at >= 0 && view ? 2 ** ((view.ratios[at] - 128) / 32) : 1.5;
    this.pictures(id);
    this.fit();
    this.describe(id);
    if (at >= 0 && view) {
      for (const next of [at + 1, at - 1]) {
        if (next >= 0 && next < view.n) new Image().src = pictureOf(view.ids[next], 1440);
      }
    }
  }

  /** @param {number} id */
  async pictures(id) {
    const { img } = this;
    /** @type {0 | 1 | 2} */ this.level = 0;
    img.classList.remove("none");
    img.src = pictureOf(id);
    img.onerror = () => img.classList.add("none");
    const known = photo(id).catch((e) => e);
    if (await this.better(id, pictureOf(id, 1440), 1)) return;
    const { format = "", path = "", pixels_why: broken } = await known;
    if (SHOWN.has(format) && await this.better(id, "/o/" + id, 2)) return;
    const why = broken ?? (path && await fetch(pictureOf(id, 1440)).then((r) => r.json()).then((said) => said.error).catch(() => ""));
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

  /** @param {number} factor @param {{ x: number, y: number }} [at] the point that stays, from the middle */
  zoomBy(factor, at = { x: 0, y: 0 }) {
    const { zoom } = this, scale = clamp(zoom.scale * factor, 1, MOST_ZOOM), real = scale / zoom.scale;
    this.zoom = scale === 1 ? { scale, x: 0, y: 0 } : { scale, x: at.x - (at.x - zoom.x) * real, y: at.y - (at.y - zoom.y) * real };
    this.turn();
  }

  /** @param {number} x @param {number} y */
  move(x, y) {
    this.zoom.x += x;
    this.zoom.y += y;
    this.turn();
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
    this.button("PageUp").hidden = this.index <= 0;
    this.button("PageDown").hidden = this.index === -1 || this.index >= n - 1;
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

  /** Which buttons are on. */
  lights() {
    for (const [key, on] of Object.entries({ x: this.grid.selected.has(this.id), b: this.boxes, i: !this.panel.hidden })) {
      this.button(key).ariaPressed = String(on);
    }
  }

  toggleInfo() {
    this.panel.hidden = !this.panel.hidden;
    localStorage.info = this.panel.hidden ? "0" : "1";
    this.lights();
    this.fit();
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

  /** @returns {Record<string, () => void>} */
  keys() {
    const isZoomed = this.zoom.scale > 1;
    const arrow = (/** @type {number} */ x, /** @type {number} */ y) => () => (isZoomed ? this.move(80 * x, 80 * y) : x && this.step(-x));
    return {
      ArrowLeft: arrow(1, 0), ArrowRight: arrow(-1, 0), ArrowUp: arrow(0, 1), ArrowDown: arrow(0, -1),
      PageUp: () => this.step(-1), PageDown: () => this.step(1),
      Home: () => this.goTo(0), End: () => this.goTo((this.grid.view?.n ?? 0) - 1),
      "+": () => this.zoomBy(1.5), "=": () => this.zoomBy(1.5), "-": () => this.zoomBy(1 / 1.5), 0: () => this.zoomBy(1 / MOST_ZOOM),
      Escape: () => (isZoomed ? this.zoomBy(1 / MOST_ZOOM) : this.close()), Backspace: () => this.close(),
      i: () => this.toggleInfo(),
      s: () => this.hooks.search({ like: this.id }),
      x: () => {
        if (this.index < 0) return;
        this.grid.toggle(this.index);
        this.lights();
      },
      b: () => {
        this.boxes = !this.boxes;
        this.lights();
        this.describe(this.id);
      },
    };
  }
}
