/** The search field, its chips, and what the photos found have in common, to narrow them by a click. */
import { json, pictureOf } from "./api.js";
import { chipsOf, dateIn, isRanked, withField, withoutField } from "./query.js";
import { byId, count, h, icon } from "./dom.js";

/** Kinds: as the daemon calls it, its field, its title, and how many stand below the field. @type {[string, string, string, number][]} */
const GROUPS = [["people", "person", "People", 3], ["places", "place", "Places", 3], ["tags", "tag", "What is in them", 6],
  ["years", "on", "Years", 3], ["cameras", "camera", "Cameras", 2]];

export class SearchBar {
  /**
   * @param {() => Route} route @param {(change: Partial<Route>) => void} go
   * @param {Map<number, string>} folders names of those that were seen
   */
  constructor(route, go, folders) {
    this.route = route;
    this.folders = folders;
    this.go = go;
    this.field = /** @type {HTMLInputElement} */ (byId("words"));
    this.panel = byId("facets");
    /** @type {Record<string, Facet[]>} */ this.facets = {};
    this.asked = "";
    this.time = 0;
    this.chosen = -1;
    const form = byId("search");
    form.addEventListener("submit", (e) => {
      e.preventDefault();
      this.submit();
    });
    this.field.addEventListener("focus", () => this.open());
    this.field.addEventListener("input", () => {
      this.open();
      byId("clear").hidden = !this.field.value && !chipsOf(this.route().query).length;
    });
    this.field.addEventListener("keydown", (e) => this.onKey(e));
    form.addEventListener("focusout", (e) => {
      if (!form.contains(/** @type {Node | null} */ (e.relatedTarget))) this.close();
    });
    // A click on something that takes no focus would close the panel before it arrives.
    this.panel.addEventListener("mousedown", (e) => e.preventDefault());
    byId("clear").addEventListener("click", () => {
      this.field.value = "";
      this.go({ query: {}, sort: "" });
      this.field.focus();
    });
    byId("sort").addEventListener("click", (e) => {
      const sort = /** @type {HTMLElement} */ (e.target).dataset.sort;
      if (sort) this.go({ sort: sort === "best" ? "best" : "date" });
    });
  }

  /** Shows what is asked for. */
  show() {
    const { query, sort } = this.route();
    if (document.activeElement !== this.field) this.field.value = query.words ?? "";
    byId("chips").replaceChildren(...chipsOf(query, this.folders).map(({ field, value, label }) =>
      h("button", { type: "button", class: "chip " + field, "aria-label": `Remove: ${label}`,
        click: () => this.go({ query: withoutField(query, field, value), sort: "" }) },
      field === "like" && h("img", { alt: "", src: pictureOf(value) }), h("span", {}, label), icon("close"))));
    byId("clear").hidden = !Object.keys(query).length;
    const ranked = isRanked(query);
    byId("sort").hidden = !ranked;
    for (const button of byId("sort").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.sort === (sort || "best")));
    }
  }

  submit() {
    const typed = this.field.value.trim();
    const { query } = this.route();
    const option = this.options()[this.chosen];
    if (option) return option.click();
    const rest = { ...query };
    delete rest.words;
    this.go({ page: "photos", query: typed ? { ...rest, words: typed } : rest, sort: "", photo: 0 });
    this.field.blur();
    this.close();
  }

  options() {
    return /** @type {HTMLElement[]} */ ([...this.panel.querySelectorAll("button")]);
  }

  async open() {
    this.panel.hidden = false;
    this.field.setAttribute("aria-expanded", "true");
    this.chosen = -1;
    this.draw();
    if (await this.ask()) this.draw();
  }

  /** What the photos found have in common, asked for once. @returns {Promise<boolean>} whether it is of this query */
  async ask() {
    const { query } = this.route(), key = JSON.stringify(query);
    if (this.asked !== key) {
      this.asked = key;
      this.time = performance.now();
      this.asking = json("facets", { query }).then((facets) => (this.facets = facets), () => (this.asked = ""));
    }
    await this.asking;
    return this.asked === key && key === JSON.stringify(this.route().query);
  }

  /** What is in the library has changed: counts may be some seconds old, or each photo that lands would count them all. */
  stale() {
    if (performance.now() - this.time > 1e4) this.asked = "";
  }

  /** Chips below the field, each of which leaves some of what was found. @param {number} found photos */
  async narrow(found) {
    const { page, query } = this.route(), host = byId("narrow");
    const narrows = page === "photos" && found > 1 && Object.keys(query).length > 0;
    const asked = narrows && await this.ask();
    host.hidden ||= !narrows || !this.asked;
    if (!asked) return;
    host.replaceChildren(...GROUPS.flatMap(([name, field, , most]) => this.fitting(name, field)
      .filter((f) => f.photos < found).slice(0, most).map((f) => this.chip(field, f.name, f.name, f.photos))));
    host.hidden = !host.childElementCount;
  }

  /** Facets of a kind that are not asked for yet. @param {string} name @param {string} field @returns {Facet[]} */
  fitting(name, field) {
    const taken = [this.route().query[field] ?? []].flat();
    return (this.facets[name] ?? []).filter((facet) => !taken.includes(facet.name));
  }

  close() {
    this.panel.hidden = true;
    this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
  }

  draw() {
    const { query } = this.route();
    const typed = this.field.value === (query.words ?? "") ? "" : this.field.value.trim();
    const low = typed.toLowerCase();
    const parts = [];
    if (typed) parts.push(this.option("words", typed, `Search for “${typed}”`, null, "search"));
    const date = dateIn(typed);
    if (date) parts.push(this.option("on", date, `Taken ${typed}`, null, "photos"));
    for (const [name, field, title] of GROUPS) {
      const fitting = this.fitting(name, field).filter((facet) => (!low || facet.name.toLowerCase().split(/[\s,]+/).some((word) => word.startsWith(low)) || facet.name.toLowerCase().startsWith(low)));
      if (!fitting.length) continue;
      parts.push(h("section", { role: "group", "aria-label": title }, h("div", { class: "title", "aria-hidden": "true" }, title),
        ...fitting.slice(0, typed ? 6 : 10).map((f) => this.option(field, f.name, f.name, f.photos))));
    }
    this.panel.replaceChildren(...parts);
    if (!parts.length) this.panel.append(h("p", { role: "option", "aria-disabled": "true", "aria-selected": "false" }, "Type what is in the picture, who is on it, where or when it was taken."));
  }

  /**
   * @param {string} field @param {string} value @param {string} label @param {number | null} [photos]
   * @param {string} [symbol] @param {Record<string, any>} [props]
   */
  chip(field, value, label, photos, symbol, props) {
    return h("button", { type: "button", ...props, click: () => {
      const { query } = this.route();
      const next = field === "words" ? { ...query, words: value } : withField(query, field, value);
      this.field.value = next.words ?? "";
      this.field.blur();
      this.close();
      this.go({ page: "photos", query: next, sort: "", photo: 0 });
    } }, symbol && icon(symbol), h("span", {}, label), photos != null && h("small", {}, count(photos)));
  }

  /** A chip of the panel. @param {string} field @param {string} value @param {string} label @param {number | null} [photos] @param {string} [symbol] */
  option(field, value, label, photos, symbol) {
    return this.chip(field, value, label, photos, symbol, { role: "option", tabindex: -1, "aria-selected": "false",
      class: symbol ? "wide" : "" });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const options = this.options();
    if (event.key === "Escape") {
      event.stopPropagation();
      this.field.blur();
      this.close();
    } else if (event.key === "Backspace" && !this.field.value) {
      const { query } = this.route();
      const last = chipsOf(query).pop();
      if (last) this.go({ query: withoutField(query, last.field, last.value) });
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && options.length) {
      event.preventDefault();
      options[this.chosen]?.setAttribute("aria-selected", "false");
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.chosen = (this.chosen + step + options.length + (this.chosen < 0 && step < 0 ? 1 : 0)) % options.length;
      const option = options[this.chosen];
      option.id ||= "option-" + this.chosen;
      option.setAttribute("aria-selected", "true");
      option.scrollIntoView({ block: "nearest" });
      this.field.setAttribute("aria-activedescendant", option.id);
    }
  }
}
