/** The page as a whole: what the address says is shown, what a person does becomes an address. */
import { ApiError, epoch, fetchView, forgetPhotos, json, listen, narrowed, watchReach } from "./api.js";
import { byId, count, isFar, photos, plural, press, say, trying } from "./dom.js";
import { Grid } from "./grid.js";
import { hasGrid, isRanked, readRoute, writeRoute } from "./query.js";
import { Scrubber } from "./scrubber.js";
import { SearchBar } from "./search.js";
import { Viewer } from "./viewer.js";

let route = readRoute(location.hash);
/** What the grid shows: the query and order it was asked with. */
let shown = "";
/** @type {AbortController | null} */ let asking = null;
/** The view that the map's frame is cut from. @type {View | null} */ let everywhere = null;
let clock = 0;
/** @type {Map<number, string>} */ const folderNames = new Map();

const grid = new Grid(byId("grid"), {
  open: (index) => grid.view && go({ photo: grid.view.ids[index] }, { viewer: true }),
  chosen: showChosen,
  moved: () => scrubber.update(),
});
const scrubber = new Scrubber(byId("scrub"), grid);
const viewer = new Viewer(grid, {
  moved: (id) => {
    if (!id && history.state?.viewer) history.back();
    else go({ photo: id }, history.state, true);
  },
  search: (query) => go({ page: "photos", query, sort: "", photo: 0 }),
});
const search = new SearchBar(() => route, (change) => go(change), folderNames);

/**
 * @param {Partial<Route>} change @param {object | null} [state] of the new entry of the history
 * @param {boolean} [instead] of the present entry
 */
function go(change, state = null, instead = false) {
  if (!instead) remember();
  route = { ...route, ...change };
  const address = writeRoute(route);
  if (instead) history.replaceState(state, "", address);
  else history.pushState(state, "", address);
  show();
}

/** Coming back finds the grid where it was left. */
function remember() {
  history.replaceState({ ...history.state, y: grid.y, cursor: grid.view?.ids[grid.cursor] }, "");
}
byId("nav").addEventListener("click", remember);

addEventListener("popstate", () => {
  const old = route;
  route = readRoute(location.hash);
  const closes = old.photo && !route.photo && keyOf(old) === keyOf(route);
  show(closes ? null : history.state);
});

/** @param {Route} of */
const isWhole = (of) => of.page === "map" || of.page === "duplicates";
/** @param {Route} of */
const keyOf = (of) => (isWhole(of) ? of.page : JSON.stringify([of.query, sortOf(of)]));
/** @param {Route} of @returns {"date" | "best"} */
const sortOf = (of) => of.sort || (isRanked(of.query) ? "best" : "date");
/** @param {Route} of @param {AbortSignal} [signal] */
const viewOf = (of, signal) => (of.page === "duplicates" ? fetchView("duplicates", {}, signal)
  : fetchView("view", of.page === "map" ? {} : { query: of.query, sort: sortOf(of) }, signal));

/** @param {{ y?: number, cursor?: number } | null} [left] where the grid was left */
function show(left) {
  const { page } = route;
  document.body.dataset.page = page;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === "#/" + page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${route.query.words || page[0].toUpperCase() + page.slice(1)} · photond`;
  search.show();
  if (page === "map") trying(showMap);
  else if (page === "folders") trying(showFolders);
  else if (!hasGrid(page)) trying(showPage).then(live);
  if (hasGrid(page) && keyOf(route) !== shown) load(left);
  else {
    viewer.show(route.photo);
    if (hasGrid(page)) grid.resize();
  }
}

/** Fetches the view that is asked for. @param {{ y?: number, cursor?: number } | null} [left] */
async function load(left) {
  asking?.abort();
  const mine = (asking = new AbortController());
  const of = route, key = keyOf(of);
  document.body.classList.add("busy");
  let view;
  try {
    view = await viewOf(of, mine.signal);
  } catch (e) {
    if (mine.signal.aborted) return;
    document.body.classList.remove("busy");
    if (e instanceof ApiError && e.status === 404 && of.page === "duplicates") {
      byId("duplicates").hidden = true;
      go({ page: "photos" }, null, true);
      return;
    }
    if (e instanceof ApiError && ![0, 401, 403].includes(e.status)) {
      shown = key;
      nothing(e.status < 500 ? "That cannot be searched for" : "That went wrong", e.message);
      grid.show({ clock, epoch: "", n: 0, ranked: false, confident: 0, ids: new Uint32Array(), ratios: new Uint8Array(),
        days: new Int32Array(), ends: new Uint32Array(), scores: new Uint8Array() });
      viewer.show(0);
      live();
      return;
    }
    setTimeout(() => asking === mine && keyOf(route) === key && load(left), 1000);
    return;
  }
  document.body.classList.remove("busy");
  shown = key;
  take(view, false);
  if (left?.cursor && view.n) {
    const at = view.ids.indexOf(left.cursor);
    if (at >= 0) grid.cursor = grid.anchor = at;
  }
  if (left?.y) grid.toY(left.y);
  viewer.show(route.photo);
  live();
}

/** @param {View} view @param {boolean} stay */
function take(view, stay) {
  const old = grid.view;
  if (old && old.epoch !== view.epoch) {
    // Another index: its photos have nothing to do with those that were chosen.
    forgetPhotos();
    search.asked = "";
    grid.small.clear();
    grid.selected.clear();
    showChosen();
    stay = false;
    folders = null;
    marked = -Infinity;
    byId("folders").replaceChildren();
    const { like, folder, ...query } = route.query;
    if (route.photo || like || folder || route.page === "folders") {
      grid.view = null;
      shown = "";
      say("The index is another one than before");
      return go({ photo: 0, query }, null, true);
    }
  }
  clock = view.clock;
  if (route.page === "map") {
    everywhere = view;
    if (stay) trying(showMap);
    else trying(async () => (await theMap()).settle());
    return;
  }
  grid.show(view, stay);
  // Without a model words are only looked up, and there is no best.
  byId("sort").hidden = !view.ranked && !(isRanked(route.query) && route.sort === "date");
  byId("count").textContent = view.groups ? plural(view.groups.length, "set", "sets") : photos(view.confident);
  search.narrow(view.confident);
  marking ??= setTimeout(mark, Math.max(500, marked + 1e4 - performance.now()));
  if (view.n) nothing("");
  else if (view.groups) nothing("No duplicates", "No photo is there twice, and no two look alike.");
  else if (Object.keys(route.query).length) nothing("Nothing found", "Take a chip away, or use other words.");
  else nothing("No photos yet", "They appear here as photond finds them.");
}

/** @type {ReturnType<typeof setTimeout> | undefined} */ let marking;
let marked = -Infinity;
/** Photos that are not whole, asked for when the page has what it shows: few, and looked up by an index. */
async function mark() {
  marking = undefined;
  marked = performance.now();
  const found = await fetchView("view", { query: { damaged: true }, sort: "date" }).catch(() => null);
  if (found) grid.mark(found.ids);
}

/** @param {string} title @param {string} [text] */
function nothing(title, text = "") {
  byId("nothing").hidden = !title;
  byId("nothing-title").textContent = title;
  byId("nothing-text").textContent = text;
  byId("nothing-way").hidden = !Object.keys(route.query).length;
}

/* Live */

let waiting = false, again = false;
/** The same view once more; photos that came are marked, what is on screen stays. */
async function refresh() {
  if (waiting) {
    again = true;
    return;
  }
  waiting = true;
  const of = keyOf(route), began = performance.now();
  try {
    forgetPhotos();
    search.stale();
    if (route.page === "folders") await showFolders(true);
    if (hasGrid(route.page)) {
      const view = await viewOf(route);
      // Rows that move while somebody scrolls would be in the way.
      while (grid.resting) await new Promise((later) => setTimeout(later, 100));
      if (of === keyOf(route) && of === shown) {
        const old = route.page === "map" ? everywhere : grid.view;
        const newest = old?.epoch === view.epoch ? old.ids.reduce((a, b) => Math.max(a, b), 0) : Infinity;
        grid.fresh = new Set(newest ? view.ids.filter((id) => id > newest) : []);
        take(view, true);
        viewer.again();
        setTimeout(() => grid.fresh.clear(), 2000);
      }
    } else await showPage();
  } catch {
    // The banner says why; the stream of events tells when to try again.
  }
  // A view that takes long to fetch is fetched more rarely.
  setTimeout(() => {
    waiting = false;
    if (again) {
      again = false;
      refresh();
    }
  }, Math.max(250, 10 * (performance.now() - began)));
}

watchReach((error) => {
  byId("banner").hidden = !error;
  if (!error) return;
  // To the password.
  if (isFar && error.status === 401) location.reload();
  byId("banner").textContent = error.status ? error.message
    : "photond does not answer. This page goes on by itself when it is back.";
});
/** @type {ReturnType<typeof setTimeout> | undefined} */ let statusSoon;
let lost = false, listens = false;
/** From the first view on: before it there is no clock to ask with. */
function live() {
  if (listens) return;
  listens = true;
  listen(() => clock, told);
}
/** @param {DaemonEvent} event */
function told(event) {
  if (event.type === "lost") {
    lost = true;
    // Whether nobody is there or the page is not let in any more, an answer tells.
    json("photos/0").catch(() => {});
  }
  else if (event.type === "open") {
    if (lost) refresh();
    lost = false;
  } else if (event.type === "photos" || event.type === "fresh") {
    if (event.type === "fresh" || (event.clock ?? Infinity) > clock) refresh();
  } else if (event.type === "status") {
    // The page's link shows whether something is going on.
    document.body.dataset.activity = event.report?.activity?.toLowerCase() ?? "";
    if (route.page !== "status") return;
    statusSoon ??= setTimeout(() => {
      statusSoon = undefined;
      if (route.page === "status") trying(showPage);
    }, 1500);
  }
}

/* Pages */

async function showPage() {
  const pages = await import("./pages.js");
  const host = byId("page"), page = route.page;
  viewer.show(0);
  nothing("");
  if (page === "status") await trying(() => pages.showStatus(host));
  if (page === "people") {
    // A view of nothing says which index the pictures are of.
    if (!epoch) await fetchView("view", { query: { on: "0001" } }).catch(() => null);
    await trying(() => pages.showPeople(host, (name) => go({ page: "photos", query: { person: [name] }, sort: "" })));
  }
}

/** @type {import("./pages.js").Folders | null} */ let folders = null;
async function showFolders(again = false) {
  const pages = await import("./pages.js");
  const isNew = !folders;
  folders ??= new pages.Folders(byId("folders"), (folder) => go({ query: { folder: folder.id }, sort: "", photo: 0 }), folderNames);
  if (isNew || again) await folders.load();
  if (isNew) search.show();
  folders.chosen = route.query.folder ?? 0;
  folders.mark();
}

/** @type {Promise<import("./map.js").WorldMap> | null} */ let map = null;
const theMap = () => (map ??= import("./map.js").then(({ WorldMap }) => new WorldMap(byId("map"), (ids, stay) => {
    if (route.page !== "map" || !everywhere) return;
    grid.show(narrowed(everywhere, ids), stay);
    byId("count").textContent = photos(ids.size);
    nothing("");
    viewer.show(route.photo);
  }, (id) => go({ photo: id }, { viewer: true })), (e) => {
  map = null;
  throw e;
}));
async function showMap() {
  await (await theMap()).load();
}

/* Selection */

function showChosen() {
  const n = grid.selected.size;
  byId("chosen").hidden = !n;
  document.body.classList.toggle("choosing", n > 0);
  byId("chosen-count").textContent = n ? `${count(n)} selected` : "";
}

/** @param {"paths" | "zip" | "links"} what */
const takeAlong = (what) => trying(async () => (await import("./pages.js")).takeAlong([...grid.selected], what));
byId("choose-none").addEventListener("click", () => grid.clearSelection());
byId("copy-paths").addEventListener("click", () => takeAlong("paths"));
byId("export-zip").addEventListener("click", () => takeAlong("zip"));
byId("export-links").addEventListener("click", () => takeAlong("links"));

/* Keys */

const help = /** @type {HTMLDialogElement} */ (byId("help"));
byId("help-button").addEventListener("click", () => help.showModal());
help.addEventListener("click", () => help.close());
byId("theme").addEventListener("click", () => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = localStorage.theme || (dark ? "dark" : "light");
  document.documentElement.dataset.theme = localStorage.theme = theme === "dark" ? "light" : "dark";
});
if (localStorage.theme) document.documentElement.dataset.theme = localStorage.theme;

document.addEventListener("keydown", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.closest("input") || help.open || event.altKey || event.defaultPrevented) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key === "a" && hasGrid(route.page) && !viewer.isOpen) {
      event.preventDefault();
      grid.selectAll();
    }
    return;
  }
  // Buttons and links keep the keys that press them.
  const presses = (event.key === "Enter" || event.key === " ") && target.closest("button, a, summary, [role=slider]");
  if (presses) return;
  if (viewer.isOpen) {
    if (event.key === "?") help.showModal();
    else press(event, viewer.keys());
    return;
  }
  const isGrid = hasGrid(route.page), id = isGrid ? grid.view?.ids[grid.cursor] ?? 0 : 0;
  if (!press(event, {
    "/": () => byId("words").focus(),
    "?": () => help.showModal(),
    Escape: () => grid.clearSelection(),
    i: () => {
      if (!id) return;
      if (viewer.panel.hidden) viewer.toggleInfo();
      grid.hooks.open(grid.cursor);
    },
    s: () => id && go({ page: "photos", query: { like: id }, sort: "", photo: 0 }),
  }) && isGrid && grid.onKey(event)) event.preventDefault();
});

show();
