/**
 * Justified rows under headings, in typed arrays: where every line of a view stands.
 *
 * A million photos take some tens of milliseconds and no object each. Where a photo stands inside its line is
 * worked out when the line is drawn.
 */

export const GAP = 4;
export const HEADING = 52;
/** Pictures are cut to this at the least and most: a panorama would leave its row too low to see. */
const NARROWEST = 0.5, WIDEST = 3.2;
/** A row is so much higher than wanted at the most. */
const HIGHEST = 1.45;
const ASPECT = Float64Array.from({ length: 256 }, (_, r) =>
  Math.min(WIDEST, Math.max(NARROWEST, 2 ** ((r - 128) / 32))));

/** Width to height of a picture in its row. @param {number} ratio */
export const aspect = (ratio) => ASPECT[ratio];

/** A day as a date in UTC. @param {number} day */
export const dateOf = (day) => new Date(day * 864e5);

/**
 * Days that fill less than a row stand together with their neighbours of the same year: photos taken one a
 * day would otherwise be a column with an empty page beside it.
 * @param {View} view @param {number} rowful sum of aspects that fills a row @returns {Group[]}
 */
export function groupsOf(view, rowful) {
  if (view.ranked || !view.ends.length) {
    const sure = view.ranked ? Math.min(view.confident, view.n) : view.n;
    const parts = [{ first: 0, end: sure, from: 0, to: 0 }, { first: sure, end: view.n, from: 1, to: 1 }];
    return parts.filter((part) => part.end > part.first);
  }
  /** @type {Group[]} */ const groups = [];
  let sum = Infinity, year = NaN;
  for (let d = 0, first = 0; d < view.ends.length; d++) {
    const end = view.ends[d];
    let own = 0;
    for (let i = first; i < end && own < rowful; i++) own += ASPECT[view.ratios[i]];
    const of = yearOf(view.days[d]);
    // Duplicates are of no day: the year of all of them is NaN.
    if (own < rowful && sum + own <= rowful * 1.15 && Object.is(of, year)) {
      const last = groups[groups.length - 1];
      last.end = end;
      last.to = d;
      sum += own;
    } else {
      groups.push({ first, end, from: d, to: d });
      sum = own;
      year = of;
    }
    first = end;
  }
  return groups;
}

/** @param {number} day */
const yearOf = (day) => dateOf(day).getUTCFullYear();

/**
 * @param {View} view @param {number} width @param {number} target height of a row, about
 * @param {boolean} headings @returns {Layout}
 */
export function layOut(view, width, target, headings = true) {
  const rowful = width / target;
  const groups = groupsOf(view, rowful);
  const most = view.n + groups.length + 1;
  const top = new Float64Array(most), first = new Uint32Array(most);
  const rowHeight = new Float32Array(most), group = new Uint32Array(most);
  const { ratios } = view;
  let line = 0, y = 0;
  for (let g = 0; g < groups.length; g++) {
    const { end } = groups[g];
    let i = groups[g].first;
    if (headings) {
      top[line] = y;
      first[line] = i;
      group[line++] = g;
      y += HEADING;
    }
    let left = 0;
    for (let k = i; k < end; k++) left += ASPECT[ratios[k]];
    // What is left is shared out among the rows that are left, so that no row at the end is half empty.
    let rows = Math.max(1, Math.round(left / rowful));
    while (i < end) {
      const share = left / rows;
      let j = i, sum = 0;
      while (j < end) {
        const next = sum + ASPECT[ratios[j]];
        if (rows > 1 && j > i && next - share > share - sum) break;
        sum = next;
        j++;
      }
      left -= sum;
      rows--;
      const full = (width - GAP * (j - i - 1)) / sum;
      // A few pictures that would have to be blown up to fill their row do not fill it.
      const height = full > target * HIGHEST ? target : full;
      top[line] = y;
      first[line] = i;
      rowHeight[line] = height;
      group[line++] = g;
      y += height + GAP;
      i = j;
    }
    y += 8;
  }
  top[line] = y;
  first[line] = view.n;
  return { width, height: y, lines: line, groups, top: top.slice(0, line + 1), first: first.slice(0, line + 1),
    rowHeight: rowHeight.slice(0, line), group: group.slice(0, line) };
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
