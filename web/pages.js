/** Folders, people, the daemon's status, and taking photos along: loaded when the first is wanted. */
import { json, photo, pictureOf } from "./api.js";
import { copy, present, count, fileName, h, icon, isFar, photos, plural, press, say, sentence, span, trying } from "./dom.js";

/** The real tree of folders, unfolded as it is asked for: one row below the other, each with its level. */
export class Folders {
  /**
   * @param {HTMLElement} tree @param {(folder: Folder) => void} open
   * @param {Map<number, string>} names of all that were seen
   */
  constructor(tree, open, names) {
    this.tree = tree;
    this.names = names;
    this.open = open;
    this.chosen = 0;
    /** What is below those that are unfolded; 0: the roots. @type {Map<number, Folder[]>} */ this.below = new Map([[0, []]]);
    tree.onkeydown = (e) => this.onKey(e);
  }

  /** The whole tree as it is now, unfolded as it was. */
  async load() {
    await Promise.all([...this.below.keys()].map((folder) => this.ask(folder)));
    const [root, ...others] = this.below.get(0) ?? [];
    // A single root is not worth a click.
    if (root?.folders && !others.length && this.below.size === 1) await this.ask(root.id);
    /** @type {HTMLElement} */ (this.tree.nextElementSibling).hidden = Boolean(root);
    this.draw();
  }

  /** @param {number} folder */
  async ask(folder) {
    /** @type {Folder[]} */ const below = await json("folders" + (folder ? "?under=" + folder : ""));
    for (const f of below) this.names.set(f.id, fileName(f.name) || f.path);
    this.below.set(folder, below);
  }

  rows() {
    return /** @type {FolderRow[]} */ ([...this.tree.children]);
  }

  draw() {
    const focused = this.rows().find((row) => row === document.activeElement)?.folder.id;
    /** @type {(under: number, level: number) => FolderRow[]} */
    const rows = (under, level) => (this.below.get(under) ?? []).flatMap((folder) => [this.row(folder, level), ...rows(folder.id, level + 1)]);
    this.tree.replaceChildren(...rows(0, 1));
    this.mark();
    this.rows().find((row) => row.folder.id === focused)?.focus({ preventScroll: true });
  }

  /** @param {Folder} folder @param {number} level @returns {FolderRow} */
  row(folder, level) {
    const row = Object.assign(h("div", { class: "folder", role: "treeitem", "aria-level": level,
      "aria-expanded": folder.folders ? String(this.below.has(folder.id)) : null, click: (/** @type {MouseEvent} */ e) => {
        if (/** @type {Element} */ (e.target).closest(".twist")) this.turn(row);
        else this.choose(row);
      } }, h("span", { class: "twist" + (folder.folders ? "" : " none") }, icon("right")), icon("folders"),
    h("span", { class: "name", title: folder.path }, this.names.get(folder.id)), " ", h("small", {}, count(folder.photos))), { folder, level });
    row.style.paddingLeft = (level - 1) * 16 + "px";
    return row;
  }

  /** @param {FolderRow} row */
  choose(row) {
    this.chosen = row.folder.id;
    this.mark();
    row.focus({ preventScroll: true });
    this.open(row.folder);
  }

  mark() {
    const rows = this.rows(), reachable = rows.find((row) => row.folder.id === this.chosen) ?? rows[0];
    for (const row of rows) {
      row.ariaSelected = String(row.folder.id === this.chosen);
      row.tabIndex = row === reachable ? 0 : -1;
    }
  }

  /** @param {FolderRow} row */
  turn({ folder }) {
    trying(async () => {
      if (!this.below.delete(folder.id) && folder.folders) await this.ask(folder.id);
      this.draw();
    });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const all = this.rows(), at = all.findIndex((row) => row === document.activeElement), row = all[at];
    if (!row) return;
    const isOpen = row.ariaExpanded === "true";
    press(event, {
      ArrowDown: () => all[at + 1]?.focus(),
      ArrowUp: () => all[at - 1]?.focus(),
      ArrowRight: () => (isOpen ? all[at + 1]?.focus() : this.turn(row)),
      ArrowLeft: () => (isOpen ? this.turn(row) : all.findLast((r, i) => i < at && r.level < row.level)?.focus()),
      Home: () => all[0].focus(),
      End: () => all[all.length - 1].focus(),
      Enter: () => this.choose(row),
      " ": () => this.choose(row),
    });
  }
}

/** @param {HTMLElement} host @param {(name: string) => void} open */
export async function showPeople(host, open) {
  /** @type {any[]} */ const people = await json("people");
  people.sort((a, b) => Number(b.named) - Number(a.named) || b.photos - a.photos);
  const list = h("ul", { class: "people" }, ...people.map((p) => {
    const face = h("span", { class: "portrait" }, p.name.slice(0, 1));
    if (p.example_id) picture(face, p);
    return h("li", {}, h("button", { type: "button", click: () => open(p.name) }, face,
      h("b", {}, p.named || p.number == null ? p.name : `Person ${p.number}`), h("small", {}, photos(p.photos))));
  }));
  const nameless = people.some((p) => !p.named && p.number != null);
  host.replaceChildren(...present(h("h1", {}, "People"), nameless && h("p", { class: "quiet hint" }, "“photond people name 1 Anna” says who person 1 is."), people.length ? list : h("div", { class: "nothing" }, icon("people"),
    h("p", {}, "No photo names anybody, and nobody was seen twice yet."), h("p", { class: "quiet" }, "“photond people on” has faces told apart. What tells them apart stays on this machine."))));
}

/** The face itself, where it is known where it is. @param {HTMLElement} face @param {any} person */
async function picture(face, person) {
  const img = h("img", { alt: "", loading: "lazy", src: pictureOf(person.example_id) });
  img.onerror = () => img.remove();
  face.append(img);
  await new Promise((seen) => (img.onload = seen));
  img.onload = null;
  const known = await photo(person.example_id).catch(() => null);
  const area = known?.people_areas?.find((/** @type {any} */ a) => a.name === person.name)?.area;
  if (!area) return;
  // A face's box ends at the forehead and the chin: a square more than twice as wide, and a little higher, has the
  // whole head inside its circle.
  const side = Math.min(Math.max(area.width * known.width, area.height * known.height) * 2.2, known.width, known.height);
  const middle = { x: (area.left + area.width / 2) * known.width, y: (area.top + area.height * 0.42) * known.height };
  const scale = 100 / side;
  if (side < Math.min(known.width, known.height) / 3) img.src = pictureOf(person.example_id, 512);
  img.style.width = known.width * scale + "%";
  img.style.height = known.height * scale + "%";
  img.style.left = -Math.min(Math.max(0, middle.x - side / 2), known.width - side) * scale + "%";
  img.style.top = -Math.min(Math.max(0, middle.y - side / 2), known.height - side) * scale + "%";
  img.classList.add("cut");
}

/** @type {Record<string, string>} */
const DOING = { scanning: "Looking through the folders", indexing: "Indexing", idle: "Up to date", paused: "Paused" };

/** @param {HTMLElement} host */
export async function showStatus(host) {
  const s = await json("status?errors=1");
  const { daemon: d, counts: c } = s;
  const order = (/** @type {string} */ label, /** @type {string} */ what, /** @type {object} */ body = {}) =>
    h("button", { type: "button", click: () => trying(async () => {
      await json(what, body);
      say(label + ": done");
      await showStatus(host);
    }) }, label);
  const activity = String(d.activity ?? "").toLowerCase();
  const doing = DOING[activity] ?? activity;
  const left = d.queue > 0 ? [plural(d.queue, "file", "files") + " to go", d.rate > 0 && `${d.rate.toFixed(1)} a second`,
    d.eta_s && `about ${span(d.eta_s)} left`].filter(Boolean).join(" · ") : "";
  const done = c.files ? Math.min(1, (c.indexed + c.failed) / Math.max(c.files, c.indexed + c.failed + d.queue)) : 1;
  const figure = (/** @type {number} */ n, /** @type {string} */ of) => n > 0 ? h("div", { class: "figure" }, h("b", {}, count(n)), h("span", {}, of)) : null;
  const bar = h("div", { class: "progress", role: "progressbar", "aria-label": "Indexed", "aria-valuenow": Math.round(done * 100),
    "aria-valuemin": 0, "aria-valuemax": 100 }, h("i", {}));
  /** @type {HTMLElement} */ (bar.firstChild).style.width = done * 100 + "%";
  /** @type {any[]} */ const errors = s.errors ?? [];
  const kinds = Object.entries(s.failures_by_kind ?? {});
  // It is drawn again while somebody uses it: what has the focus keeps it.
  const at = host.contains(document.activeElement) ? document.activeElement?.textContent : null;
  host.replaceChildren(...present(h("h1", {}, "Status"),
    h("section", { class: "box now" }, h("div", { class: "line" }, h("h2", {}, doing), h("span", { class: "gap" }),
      activity === "paused" ? order("Resume", "resume") : order("Pause", "pause"), order("Look again", "rescan"), isFar && order("Sign out", "logout")),
    d.paused && h("p", {}, d.paused), d.resting && h("p", { class: "quiet" }, d.resting), bar, left && h("p", { class: "quiet" }, left)),
    h("section", { class: "figures" }, figure(c.photos, "photos"), figure(c.indexed, "files"), figure(c.tagged, "with tags"),
      figure(c.failed, "could not be read"), figure(c.damaged, "damaged"), figure(c.without_picture, "without a picture"), figure(c.missing, "missing")),
    h("section", { class: "box" }, h("h2", {}, "Folders"), ...(s.roots ?? []).map((/** @type {any} */ r) =>
      h("div", { class: "root" }, h("div", { class: "line" }, h("span", { class: "dot " + r.state }), h("b", {}, r.path), h("span", { class: "gap" }),
        h("small", {}, photos(r.photos))), r.state !== "online" && h("p", { class: "quiet" }, "not there at the moment; its photos stay known"),
      r.note && h("p", { class: "warn" }, r.note), r.missing > 0 && h("div", { class: "line warn" }, `${photos(r.missing)} missing`,
        h("span", { class: "gap" }), r.live?.held && order("They are gone", "confirm", r.id ? { root: r.id } : {}))))),
    kinds.length + errors.length > 0 && h("section", { class: "box" }, h("h2", {}, "Not read, or not whole"),
      kinds.length > 0 && h("p", { class: "quiet" }, kinds.map(([kind, n]) => `${count(Number(n))} ${kind.replaceAll("-", " ")}`).join(" · ")),
      ...errors.slice(0, 200).map((e) => h("div", { class: "root path" }, h("b", {}, fileName(e.path)), h("p", {}, sentence(e.error)), h("small", {}, e.path))),
      errors.length > 200 && h("p", { class: "quiet" }, `and ${count(errors.length - 200)} more: photond status --errors`))));
  if (at) [...host.querySelectorAll("button")].find((one) => one.textContent === at)?.focus();
}

/** Paths are asked for one photo at a time, so not of any number. */
const MOST_PATHS = 2000;

/** @param {number[]} ids @param {"paths" | "zip" | "links"} what */
export async function takeAlong(ids, what) {
  if (what === "paths") {
    if (ids.length > MOST_PATHS) return say(`${count(MOST_PATHS)} paths can be copied at most; “photond query --format paths” prints any number`);
    /** @type {string[]} */ const paths = [];
    for (let i = 0; i < ids.length; i += 6) {
      paths.push(...(await Promise.all(ids.slice(i, i + 6).map(photo))).map((known) => known.path));
    }
    return copy(paths.join("\n"), plural(paths.length, "path is copied", "paths are copied"));
  }
  say(`Preparing ${photos(ids.length)}…`);
  const made = await json("export", { ids, how: what });
  if (made?.folder) say(`Links to ${photos(made.photos ?? ids.length)} are in ${made.folder}`);
  if (made?.url) h("a", { href: made.url, download: "" }).click();
}
