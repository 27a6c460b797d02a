/** What the viewer says of a photo, and shows over it: loaded when the first one is looked at. */
import { json } from "./api.js";
import { copy, fileName, h, icon, isFar, say, sentence, size, trying } from "./dom.js";

/** A date as exactly as it is known. @param {any} known */
export function when(known) {
  const date = String(known.date ?? "");
  const [, year, month, day, time] = /^(-?\d{4})(?:-(\d\d))?(?:-(\d\d))?(?:T(\d\d:\d\d))?/.exec(date) ?? [];
  if (!year) return date;
  const at = new Date(Date.UTC(+year, +(month ?? 1) - 1, +(day ?? 1)));
  return new Intl.DateTimeFormat(undefined, { timeZone: "UTC", year: "numeric", month: month ? "long" : undefined,
    day: day ? "numeric" : undefined, weekday: day ? "short" : undefined }).format(at) + (time ? ", " + time : "");
}

/** @param {any} known @param {(query: Query) => void} search @returns {Node[]} */
export function details(known, search) {
  const chip = (/** @type {string} */ label, /** @type {Record<string, any>} */ query, more = "") =>
    h("button", { type: "button", class: "chip", title: more, click: () => search(query) }, label);
  const part = (/** @type {string} */ title, /** @type {(Node | string | null | false)[]} */ ...what) => {
    const all = what.filter(Boolean);
    return all.length ? h("section", {}, h("h2", {}, title), ...all) : null;
  };
  const order = (/** @type {string} */ what, /** @type {string} */ symbol, /** @type {string} */ label, /** @type {string} */ done) =>
    !isFar && h("button", { type: "button", click: () => trying(async () => {
      await json(what, { id: known.id });
      say(done);
    }) }, icon(symbol), label);
  const megapixels = known.width * known.height / 1e6;
  const shot = [known.focal_length_mm && `${+known.focal_length_mm.toFixed(1)} mm`, known.f_number && `ƒ/${known.f_number}`,
    known.exposure_s && (known.exposure_s < 0.4 ? `1/${Math.round(1 / known.exposure_s)} s` : `${known.exposure_s} s`),
    known.iso && `ISO ${known.iso}`].filter(Boolean).join(" · ");
  const folder = known.path.slice(0, known.path.lastIndexOf("/"));
  /** @type {any[]} */ const tags = known.tags ?? [];
  const shown = tags.some((t) => t.shown) ? tags.filter((t) => t.shown) : tags.slice(0, 8);
  const others = tags.filter((t) => !shown.includes(t));
  const tag = (/** @type {any} */ t) => chip(t.name, { tag: [t.name] }, `${Math.round(t.confidence * 100)} % · ${(t.sources ?? []).join(", ")}`);
  const rating = known.rating > 0 ? "★".repeat(known.rating) : known.rating < 0 ? "Rejected" : "";
  /** @type {(Node | null)[]} */
  const parts = [
    part("", known.title && h("h3", {}, known.title), known.caption && h("p", {}, known.caption),
      rating && h("p", { class: "stars" }, rating)),
    part("When", h("p", {}, when(known)), known.date_source !== "exif" && h("p", { class: "quiet" },
      known.date_source === "file" ? "by the date of the file" : `as the ${known.date_source} says`)),
    known.place || known.lat != null ? part("Where", known.place && chip(known.place, { place: [known.place.replace(/^near /, "")] }),
      known.lat != null && h("p", { class: "quiet" }, `${known.lat}, ${known.lon}`)) : null,
    part("Who", ...(known.people ?? []).map((/** @type {string} */ name) => chip(name, { person: [name] }))),
    part("What", ...shown.map(tag), others.length > 0 && h("details", {}, h("summary", {}, `${others.length} more`), ...others.map(tag))),
    part("Keywords", ...(known.keywords ?? []).map((/** @type {string} */ k) => chip(k.replaceAll("|", " › "), { keyword: [k] }))),
    part("Text in the picture", ...(known.text?.length ? [h("p", { class: "text" }, known.text.join("\n"))] : [])),
    part("Camera", known.camera && h("p", {}, known.camera), known.lens && h("p", {}, known.lens), shot && h("p", {}, shot)),
    part("File", h("p", { class: "path" }, h("b", {}, fileName(known.path)),
      h("button", { type: "button", title: "All photos of this folder", click: () => search({ path: folder }) }, folder)),
      h("p", { class: "quiet" }, `${known.width} × ${known.height} · ${megapixels.toFixed(1)} MP · ${size(known.size)} · ${known.format.toUpperCase()}`),
      known.pixels_why && h("p", { class: "warn" }, sentence(known.pixels_why)),
      ...(known.members ?? []).map((/** @type {any} */ m) => h("p", { class: "quiet" }, `with ${fileName(m.path)}`)),
      (known.places?.length ?? 0) > 1 && h("details", {}, h("summary", {}, `At ${known.places.length} places`),
        ...known.places.map((/** @type {string} */ p) => h("p", { class: "quiet" }, p))),
      h("div", { class: "actions" },
        h("button", { type: "button", click: () => copy(known.path, "The path is copied") }, icon("copy"), "Copy path"),
        order("reveal", "folders", "Show in folder", "Your file manager shows it"),
        order("open", "open", "Open", "It opens in its program"),
        h("a", { href: "/o/" + known.id, download: fileName(known.path) }, icon("export"), "Download"))),
  ];
  return /** @type {Node[]} */ (parts.filter(Boolean));
}

/** Boxes that are less sure are more often wrong than right. */
const SURE = 0.5;
/** Boxes of things, faces and lines of text, over the picture. @param {any} known @returns {Node[]} */
export function areas(known) {
  const box = (/** @type {any} */ area, /** @type {string} */ kind, /** @type {string} */ label) => {
    if (!area) return null;
    const made = h("div", { class: "area of-" + kind }, h("span", {}, label));
    for (const side of ["left", "top", "width", "height"]) {
      made.style.setProperty(side, area[side] * 100 + "%");
    }
    return made;
  };
  /** @type {any[]} */ const people = known.people_areas ?? [];
  return /** @type {Node[]} */ ([
    ...(known.things ?? []).filter((/** @type {any} */ t) => t.confidence >= SURE).map((/** @type {any} */ t) => box(t.area, "thing", `${t.name} ${Math.round(t.confidence * 100)} %`)),
    ...(known.faces ?? []).map((/** @type {any} */ f) => box(f.area, "face", "")),
    ...people.map((p) => box(p.area, "face", p.name)),
    ...(known.text_areas ?? []).map((/** @type {any} */ line) => {
      const [left, top, right, bottom] = line.area;
      return box({ left, top, width: right - left, height: bottom - top }, "line", line.text);
    }),
  ].filter(Boolean));
}
