/** Elements, words and small tools that all parts of the page share. */

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Record<string, any>} [props] attributes; functions are listeners
 * @param {Child[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  element.append(...present(...children));
  return element;
}

/** Those that are there. @param {Child[]} children */
export const present = (...children) =>
  /** @type {(Node | string)[]} */ (children.filter((c) => c != null && c !== false));

/** @param {string} name of a symbol in index.html */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", "#i-" + name);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** @template {HTMLElement} [T=HTMLElement] @param {string} id @returns {T} */
export const byId = (id) => /** @type {T} */ (document.getElementById(id));

/** Seen from another machine: only that is by TLS. */
export const isFar = location.protocol === "https:";

const numbers = new Intl.NumberFormat();
/** @param {number} n */
export const count = (n) => numbers.format(n);
/** @param {number} n @param {string} one @param {string} many */
export const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;
/** @param {number} n */
export const photos = (n) => plural(n, "photo", "photos");

/** @param {Intl.DateTimeFormatOptions} how */
const dates = (how) => new Intl.DateTimeFormat(undefined, { ...how, timeZone: "UTC" });
export const longDay = dates({ weekday: "short", day: "numeric", month: "long", year: "numeric" });
export const shortDay = dates({ day: "numeric", month: "long", year: "numeric" });
/** Where there is little room. */
export const smallDay = dates({ day: "numeric", month: "short" });
export const smallYear = dates({ day: "numeric", month: "short", year: "numeric" });
export const weekday = dates({ weekday: "short" });
export const monthYear = dates({ month: "long", year: "numeric" });
export const monthOnly = dates({ month: "short" });

/** @param {number} bytes */
export const size = (bytes) =>
  bytes < 1e3 ? `${bytes} B` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;

/** @param {string} path */
export const fileName = (path) => path.slice(path.lastIndexOf("/") + 1);

/** What photond says of a file, without its format before it. @param {string} said */
export const sentence = (said) => said.replace(/^(\w+: )?(.)/, (_, format, first) => first.toUpperCase()) + ".";

/** @param {number} seconds */
export const span = (seconds) =>
  seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min`
    : `${(seconds / 3600).toFixed(1)} h`;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let fading;
/** A sentence at the bottom of the page, for a while. @param {string} text */
export function say(text) {
  const toast = byId("toast");
  toast.textContent = text;
  toast.classList.add("on");
  clearTimeout(fading);
  fading = setTimeout(() => toast.classList.remove("on"), 4000);
}

/** Runs what may fail, and says so. @param {() => Promise<unknown>} work */
export async function trying(work) {
  try {
    await work();
  } catch (e) {
    say(e instanceof Error ? e.message : String(e));
  }
}

/** @param {string} text @param {string} what */
export const copy = (text, what) =>
  trying(async () => {
    await navigator.clipboard.writeText(text);
    say(what);
  });

/**
 * Does what a key is for, and no one else does. @param {KeyboardEvent} event
 * @param {Record<string, () => void>} keys @returns {boolean} whether it is for something
 */
export function press(event, keys) {
  const act = keys[event.key];
  if (!act) return false;
  event.preventDefault();
  event.stopPropagation();
  act();
  return true;
}

/**
 * Buttons that do what a key does. @param {HTMLElement} host @param {() => Record<string, () => void>} keys
 */
export const pressable = (host, keys) => host.addEventListener("click", (e) => {
  const key = /** @type {HTMLElement | null} */ (/** @type {Element} */ (e.target).closest("[data-key]"))?.dataset.key;
  if (key) keys()[key]();
});

/**
 * Wheel, drag and pinch. Points are told from the middle of the element.
 * @param {HTMLElement} element @param {Gestures} told
 */
export function gestures(element, { zoom, drag, up }) {
  /** @type {Map<number, {x: number, y: number}>} */ const down = new Map();
  let moved = 0, pinched = false;
  const at = (/** @type {MouseEvent} */ e) => {
    const box = element.getBoundingClientRect();
    return { x: e.clientX - box.left - box.width / 2, y: e.clientY - box.top - box.height / 2 };
  };
  const onButton = (/** @type {Event} */ e) => /** @type {Element} */ (e.target).closest("button");
  element.addEventListener("wheel", (e) => {
    e.preventDefault();
    zoom(Math.exp(-e.deltaY * (e.ctrlKey ? 0.01 : 0.002)), at(e));
  }, { passive: false });
  element.addEventListener("dblclick", (e) => onButton(e) || zoom(0, at(e)));
  element.addEventListener("pointerdown", (e) => {
    if (onButton(e)) return;
    element.setPointerCapture(e.pointerId);
    if (!down.size) moved = 0;
    pinched = down.size > 0;
    down.set(e.pointerId, at(e));
  });
  element.addEventListener("pointermove", (e) => {
    const last = down.get(e.pointerId), now = at(e);
    if (!last) return;
    const x = now.x - last.x, y = now.y - last.y, other = [...down].find(([id]) => id !== e.pointerId)?.[1];
    moved += Math.hypot(x, y);
    if (other) zoom(Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, Math.hypot(last.x - other.x, last.y - other.y)),
      { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
    else if (!pinched) drag(x, y, e, moved);
    down.set(e.pointerId, now);
  });
  for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) {
    element.addEventListener(end, (e) => down.delete(e.pointerId) && !down.size && up(e, moved));
  }
}

/** Motion is wanted. */
export const moves = () => !matchMedia("(prefers-reduced-motion: reduce)").matches;

/** @param {number} x @param {number} low @param {number} high */
export const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
