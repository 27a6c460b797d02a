/**
 * The daemon's API, as the page uses it: JSON, the binary view, and events.
 *
 * A view is what a query finds, in order, as typed arrays: about nine bytes a photo, so that a million
 * photos are a few megabytes and no objects.
 */

/** An answer that is no success, in the daemon's own words. Status 0: nobody answered. */
export class ApiError extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Told whether the daemon answers, after every request. @type {(error: ApiError | null) => void} */
let onReach = () => {};
/** @param {(error: ApiError | null) => void} told */
export const watchReach = (told) => (onReach = told);

/**
 * @param {string} path @param {unknown} [body] @param {AbortSignal} [signal]
 * @returns {Promise<Response>}
 */
export async function request(path, body, signal) {
  /** @type {RequestInit} */
  const how = body === undefined ? { signal } : {
    method: "POST", signal, body: JSON.stringify(body), headers: { "content-type": "application/json" },
  };
  let answer;
  try {
    answer = await fetch("/api/v1/" + path, how);
  } catch (e) {
    if (signal?.aborted) throw e;
    const error = new ApiError(0, "photond does not answer");
    onReach(error);
    throw error;
  }
  if (answer.ok) {
    onReach(null);
    return answer;
  }
  const said = await answer.json().catch(() => ({}));
  const error = new ApiError(answer.status, said.error ?? `photond answered ${answer.status} to ${path}`);
  onReach(answer.status === 401 || answer.status === 403 ? error : null);
  throw error;
}

/** @param {string} path @param {unknown} [body] @param {AbortSignal} [signal] @returns {Promise<any>} */
export const json = async (path, body, signal) => {
  const text = await (await request(path, body, signal)).text();
  return text ? JSON.parse(text) : null;
};

/** @param {string} path @param {object} body @param {AbortSignal} [signal] @returns {Promise<View>} */
export async function fetchView(path, body, signal) {
  const view = readView(await (await request(path, body, signal)).arrayBuffer());
  epoch = view.epoch;
  return view;
}

/** Which index the last view was of: part of every picture's address, which a browser keeps for good. */
export let epoch = "";
/** @param {number} id @param {512 | 1440} [side] of a larger one than the thumbnail */
export const pictureOf = (id, side) => (side ? `/p/${epoch}/${id}?s=${side}` : `/t/${epoch}/${id}`);

/** @param {ArrayBuffer} buffer @returns {View} */
export function readView(buffer) {
  const bytes = new Uint8Array(buffer);
  const line = bytes.indexOf(10);
  if (line < 0) throw new ApiError(0, "photond's answer is cut off");
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, line)));
  const n = head.n, days = head.days ?? 0;
  let at = line + 1;
  const ids = new Uint32Array(buffer, at, n);
  const ratios = new Uint8Array(buffer, (at += 4 * n), n);
  at = (at + n + 3) & ~3;
  const scores = head.ranked ? new Uint8Array(buffer, at, n) : new Uint8Array();
  const pairs = new Int32Array(buffer, at, 2 * days);
  const view = { ...head, n, confident: head.confident ?? n, ids, ratios, scores,
    days: new Int32Array(days), ends: new Uint32Array(days) };
  for (let d = 0, end = 0; d < days; d++) {
    view.days[d] = pairs[2 * d];
    view.ends[d] = end += pairs[2 * d + 1];
  }
  let end = 0;
  if (head.groups) view.ends = Uint32Array.from(head.groups, (/** @type {number} */ size) => end += size);
  return view;
}

/**
 * The photos of a view that are wanted, in its order.
 * @param {View} view @param {Set<number>} wanted @returns {View}
 */
export function narrowed(view, wanted) {
  const ids = new Uint32Array(wanted.size), ratios = new Uint8Array(wanted.size);
  /** @type {number[]} */ const days = [];
  /** @type {number[]} */ const ends = [];
  let n = 0;
  for (let i = 0, d = 0; i < view.n && n < wanted.size; i++) {
    while (d < view.days.length && i >= view.ends[d]) d++;
    if (!wanted.has(view.ids[i])) continue;
    ids[n] = view.ids[i];
    ratios[n++] = view.ratios[i];
    if (days[days.length - 1] !== view.days[d]) {
      days.push(view.days[d]);
      ends.push(n);
    } else ends[ends.length - 1] = n;
  }
  return { ...view, n, confident: n, ids: ids.subarray(0, n), ratios: ratios.subarray(0, n),
    days: Int32Array.from(days), ends: Uint32Array.from(ends) };
}

/** Photos by id, as `photond show` prints them; the last few are kept. @type {Map<number, Promise<any>>} */
const known = new Map();

/** @param {number} id @returns {Promise<any>} */
export function photo(id) {
  let found = known.get(id);
  if (!found) {
    found = json("photos/" + id);
    found.catch(() => known.delete(id));
    known.set(id, found);
    if (known.size > 200) known.delete(/** @type {number} */ (known.keys().next().value));
  }
  return found;
}
/** What is known of photos may have changed. */
export const forgetPhotos = () => known.clear();

/**
 * Events, while the page is seen: a hidden tab that kept its stream would take one of the six
 * connections that a browser has for one server.
 * @param {() => number} clock @param {(event: DaemonEvent) => void} told
 */
export function listen(clock, told) {
  /** @type {EventSource | null} */ let source = null;
  let patience = 500;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ let again;
  const turn = () => {
    clearTimeout(again);
    if (document.hidden) {
      source?.close();
      source = null;
      return;
    }
    if (source) return;
    const mine = (source = new EventSource("/api/v1/events?since=" + clock()));
    mine.onopen = () => {
      patience = 500;
      told({ type: "open" });
    };
    mine.onmessage = (event) => told(JSON.parse(event.data));
    mine.onerror = () => {
      // The browser's own attempts would ask with a clock that is too old.
      mine.close();
      if (source !== mine) return;
      source = null;
      told({ type: "lost" });
      again = setTimeout(turn, patience);
      patience = Math.min(patience * 2, 5000);
    };
  };
  document.addEventListener("visibilitychange", turn);
  addEventListener("pagehide", () => { source?.close(); source = null; });
  addEventListener("pageshow", turn);
  turn();
}
