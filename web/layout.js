/**
 * Justified rows under headings, in typed arrays: where every line of a view stands.
 *
 * A million photos take some tens of milliseconds and no object each. Where a photo stands inside its line is
 * worked out when the line is drawn.
 */

export const GAP = 4;
/** Between days that share a row. */
const APART = 20;
/** A day of its own, and days that share a row or are a row of two photos. */
export const HEADING = 52;
const SMALL_HEADING = 40;
/** Pictures are cut to this at the least and most: a panorama would leave its row too low to see. */
const NARROWEST = 0.5, WIDEST = 3.2;
/** A row is so much higher than wanted at the most. */
const HIGHEST = 1.45;
/** A row of several days is so much fuller than one of the wanted height at the most. */
const MOST_FULL = 1.4;
const ASPECT = Float64Array.from({ length: 256 }, (_, r) =>
  Math.min(WIDEST, Math.max(NARROWEST, 2 ** ((r - 128) / 32))));

/** A day as a date in UTC. @param {number} day */
export const dateOf = (day) => new Date(day * 864e5);

/**
 * Where the parts of a view end that have headings: its days, sets of duplicates, or what a search is sure of.
 * @param {View} view @returns {ArrayLike<number>}
 */
export function partsOf(view) {
  if (view.ends.length) return view.ends;
  const sure = view.ranked ? Math.min(view.confident, view.n) : view.n;
  return [sure, view.n].filter((end, k) => end > (k && sure));
}

/**
 * A day that fills a row has rows of its own below its heading. Smaller ones share a row with their neighbours:
 * photos taken one a day would otherwise be a column with an empty page beside it.
 * @param {View} view @param {number} width @param {number} target height of a row, about
 * @param {boolean} headings @returns {Layout}
 */
export function layOut(view, width, target, headings = true) {
  const { n, ratios } = view, ends = partsOf(view), parts = ends.length;
  const most = n + parts + 1;
  const top = new Float64Array(most), first = new Uint32Array(most), rowHeight = new Float32Array(most);
  // How wide each part is in one row.
  const wide = new Float64Array(parts);
  for (let d = 0, i = 0; d < parts; d++) {
    let sum = 0;
    const from = i;
    for (; i < ends[d]; i++) sum += ASPECT[ratios[i]];
    wide[d] = sum * target + (i - from - 1) * GAP + APART;
  }
  const full = width + APART;
  let line = 0, y = 0;
  // Small days up to `run`, and how wide all of them are that stand in no row yet.
  let run = 0, waiting = 0;
  for (let d = 0, i = 0; d < parts;) {
    let to = d + 1, left = wide[d];
    if (view.ends.length && left <= full) {
      if (run <= d) for (run = d, waiting = 0; run < parts && wide[run] <= full; run++) waiting += wide[run];
      // What waits is shared out among as many rows as it takes, so that none of them is half empty.
      const share = waiting / Math.max(1, Math.round(waiting / full));
      for (; to < run; to++) {
        const next = left + wide[to];
        if (next > full * MOST_FULL || next - share > share - left) break;
        left = next;
      }
      waiting -= left;
    }
    const days = to - d, end = ends[to - 1];
    d = to;
    if (headings) {
      top[line] = y;
      first[line++] = i;
      y += view.ends.length && (days > 1 || end - i < 3) ? SMALL_HEADING : HEADING;
    }
    let rows = days > 1 ? 1 : Math.max(1, Math.round(left / full));
    while (i < end) {
      const share = left / rows;
      let j = i, sum = 0, taken = 0;
      for (; j < end; j++) {
        const next = taken + ASPECT[ratios[j]] * target + GAP;
        if (rows > 1 && j > i && next - share > share - taken) break;
        taken = next;
        sum += ASPECT[ratios[j]];
      }
      left -= taken;
      rows--;
      const height = (width - GAP * (j - i - days) - APART * (days - 1)) / sum;
      top[line] = y;
      first[line] = i;
      // A few pictures that would have to be blown up to fill their row do not fill it.
      y += (rowHeight[line++] = height > target * HIGHEST ? target : height) + GAP;
      i = j;
    }
    y += 8;
  }
  top[line] = y;
  first[line] = n;
  return { width, height: y, lines: line, top: top.slice(0, line + 1), first: first.slice(0, line + 1),
    rowHeight: rowHeight.slice(0, line) };
}

/**
 * Where each photo of a row stands in it.
 * @param {View} view @param {Layout} layout @param {number} line
 * @param {(index: number, left: number, width: number, day: number) => void} each
 */
export function along(view, layout, line, each) {
  const height = layout.rowHeight[line], end = layout.first[line + 1];
  let left = 0;
  for (let i = layout.first[line], day = dayAt(view, i); i < end; i++) {
    let width = height * ASPECT[view.ratios[i]];
    // The end of a row that is full is the edge, whatever was rounded.
    if (i === end - 1 && Math.abs(left + width - layout.width) < 1) width = layout.width - left;
    each(i, left, width, day);
    const ends = i + 1 === view.ends[day];
    left += width + (ends ? APART : GAP);
    if (ends) day++;
  }
}

/**
 * The last place whose value is at most `x`, in values that never fall.
 * @param {ArrayLike<number>} values @param {number} x @param {number} end
 */
export function lastAtMost(values, x, end) {
  let low = 0, high = end;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] <= x) low = middle;
    else high = middle;
  }
  return low;
}

/** The row that shows a photo. @param {Layout} layout @param {number} index */
export const lineOf = (layout, index) => lastAtMost(layout.first, index, layout.lines);

/** The day or group of a photo, as a place in `view.ends`. @param {View} view @param {number} index */
export function dayAt(view, index) {
  let low = 0, high = view.ends.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (view.ends[middle] > index) high = middle;
    else low = middle + 1;
  }
  return low;
}
