/**
 * The strip at the right: years where they stand in the grid, and a bubble with the month under the pointer.
 * A place on it is a share of the laid-out height, so that where it lands is what it said.
 */
import { dateOf, dayAt, lastAtMost, lineOf } from "./layout.js";
import { clamp, h, monthOnly, monthYear, press } from "./dom.js";

export class Scrubber {
  /** @param {HTMLElement} host @param {import("./grid.js").Grid} grid */
  constructor(host, grid) {
    this.host = host;
    this.grid = grid;
    const [marks, thumb, bubble] = /** @type {HTMLElement[]} */ ([...host.children]);
    this.marks = marks;
    this.thumb = thumb;
    this.bubble = bubble;
    /** @type {unknown} */ this.drawn = null;
    /** Kept, for asking the page would lay it out each time. */
    this.height = 0;
    new ResizeObserver(() => {
      this.height = host.clientHeight;
      this.drawn = null;
      this.update();
    }).observe(host);
    let held = false;
    host.addEventListener("pointerdown", (e) => {
      held = true;
      host.setPointerCapture(e.pointerId);
      host.classList.add("held");
      this.jump(e, false);
    });
    host.addEventListener("pointermove", (e) => (held ? this.jump(e, true) : this.hint(this.share(e))));
    const end = () => {
      held = false;
      host.classList.remove("held");
      this.bubble.hidden = true;
    };
    host.addEventListener("pointerup", end);
    host.addEventListener("pointercancel", end);
    host.addEventListener("pointerleave", () => held || end());
    host.addEventListener("wheel", (e) => grid.host.scrollBy(0, e.deltaY), { passive: true });
    host.addEventListener("keydown", (e) => this.onKey(e));
  }

  /** @param {PointerEvent} event */
  share(event) {
    const box = this.host.getBoundingClientRect();
    return clamp((event.clientY - box.top) / box.height, 0, 1);
  }

  /** @param {PointerEvent} event @param {boolean} drags blocks are drawn then; pictures come when it rests */
  jump(event, drags) {
    const share = this.share(event);
    const { grid } = this;
    grid.goes(drags);
    grid.toY(share * grid.last);
    this.hint(share);
  }

  /** @param {number} y @returns {Date | null} of the group there */
  dateAt(y) {
    const { layout, view } = this.grid;
    if (!layout?.lines || !view?.days.length) return null;
    const line = lastAtMost(layout.top, y, layout.lines);
    return dateOf(view.days[dayAt(view, layout.first[line])]);
  }

  /** @param {number} share */
  hint(share) {
    const date = this.dateAt(share * this.grid.last);
    this.bubble.hidden = !date;
    if (!date) return;
    this.bubble.textContent = monthYear.format(date);
    this.bubble.style.top = clamp(share * this.height, 16, this.height - 16) + "px";
  }

  /** The grid has moved. */
  update() {
    const { grid, host } = this;
    const { layout, view } = grid;
    const hidden = !layout || grid.last < grid.seen;
    if (host.hidden !== hidden) host.hidden = hidden;
    if (hidden || !layout || !view || !this.height) return;
    if (this.drawn !== layout) {
      this.drawn = layout;
      this.drawMarks();
    }
    const share = grid.last ? clamp(grid.y / grid.last, 0, 1) : 0;
    this.thumb.style.transform = `translateY(${share * this.height}px)`;
    host.setAttribute("aria-valuenow", String(Math.round(share * 100)));
    const date = this.dateAt(grid.y);
    host.setAttribute("aria-valuetext", date ? monthYear.format(date) : `${Math.round(share * 100)} %`);
  }

  /** Years, and months between them where there is room. */
  drawMarks() {
    const { grid, height } = this;
    const { layout, view } = grid;
    /** @type {Node[]} */ const marks = [];
    if (layout && view?.days.length) {
      // Years first, as far apart as their height; then months in what is left.
      /** @type {number[]} */ const taken = [];
      for (const kind of ["year", "month"]) {
        let last = NaN;
        view.days.forEach((day, d) => {
          const date = dateOf(day), year = date.getUTCFullYear(), now = kind === "year" ? year : year * 12 + date.getUTCMonth();
          if (now === last) return;
          last = now;
          const y = layout.top[lineOf(layout, d ? view.ends[d - 1] : 0)] / Math.max(1, grid.last) * height;
          if (y > height - 8 || taken.some((t) => Math.abs(t - y) < (kind === "year" ? 18 : 26))) return;
          taken.push(y);
          const mark = h("span", { class: kind }, kind === "year" ? String(year) : monthOnly.format(date));
          mark.style.top = y + "px";
          marks.push(mark);
        });
      }
    }
    this.marks.classList.toggle("few", marks.length < 16);
    this.marks.replaceChildren(...marks);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { grid } = this;
    const step = grid.last / 24;
    const by = (/** @type {number} */ steps) => () => grid.toY(grid.y + steps * step);
    press(event, { ArrowUp: by(-1), ArrowDown: by(1), PageUp: by(-4), PageDown: by(4), Home: by(-24), End: by(24) });
  }
}
