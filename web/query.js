/**
 * What is asked for, as the address has it: `#/photos?words=dog&place=Kyoto&sort=best&photo=12`.
 *
 * The names are those of `photond query`'s long options, so that a query can be taken from one to the other.
 */

/** Fields that may stand several times, with what a chip says before them. @type {Record<string, string>} */
export const MANY = { text: "Looks like", tag: "", not_tag: "Not", person: "", place: "", keyword: "Keyword",
  in_picture: "Text", name: "Name" };
/** Fields that stand once. @type {Record<string, string>} */
export const ONE = { words: "", camera: "Camera", since: "Since", until: "Until", on: "", path: "In",
  rating: "Stars", near: "Near", folder: "Folder", like: "Like" };

const PAGES = ["photos", "folders", "map", "people", "duplicates", "status"];
/** @param {string} page */
export const hasGrid = (page) => page !== "people" && page !== "status";

/** @param {string} hash @returns {Route} */
export function readRoute(hash) {
  const [page, search = ""] = hash.replace(/^#\/?/, "").split("?");
  const given = new URLSearchParams(search);
  /** @type {Query} */ const query = {};
  for (const field of Object.keys(MANY)) {
    const all = given.getAll(field).filter(Boolean);
    if (all.length) query[field] = all;
  }
  for (const field of Object.keys(ONE)) {
    const value = given.get(field);
    if (value) query[field] = field === "folder" || field === "like" ? Number(value) : value;
  }
  const sort = given.get("sort");
  return { page: PAGES.includes(page) ? page : "photos", query, sort: sort === "best" || sort === "date" ? sort : "",
    photo: Number(given.get("photo")) || 0 };
}

/** @param {Query} query */
export function asParams(query) {
  const params = new URLSearchParams();
  for (const [field, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) params.append(field, String(one));
  }
  return params;
}

/** @param {Route} route */
export function writeRoute(route) {
  const params = asParams(route.query);
  if (route.sort) params.set("sort", route.sort);
  if (route.photo) params.set("photo", String(route.photo));
  const search = params.toString();
  return `#/${route.page}${search && "?" + search}`;
}

/** The answer has an order of its own. @param {Query} query */
export const isRanked = (query) => Boolean(query.words || query.text || query.like);

/** @param {Query} query @param {string} field @param {any} value */
export function withField(query, field, value) {
  if (!(field in MANY)) return { ...query, [field]: value };
  const old = query[field] ?? [];
  return old.includes(value) ? query : { ...query, [field]: [...old, value] };
}

/** @param {Query} query @param {string} field @param {any} value */
export function withoutField(query, field, value) {
  const left = { ...query };
  const rest = field in MANY ? left[field].filter((/** @type {any} */ v) => v !== value) : [];
  if (rest.length) left[field] = rest;
  else delete left[field];
  return left;
}

/**
 * Everything but the words, which stay in the search field.
 * @param {Query} query @param {Map<number, string>} [folders] names
 */
export function chipsOf(query, folders) {
  return Object.entries(query).filter(([field]) => field !== "words").flatMap(([field, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => ({ field, value: one,
      label: field === "like" ? "Like this photo" : field === "folder" ? folders?.get(one) ?? "One folder"
        : [MANY[field] ?? ONE[field], one].filter(Boolean).join(" ") })));
}

const MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
  "november", "december"];

/**
 * A day, month or year that is typed: `2023`, `2023-05-03`, `May 2023`.
 * @param {string} typed @returns {string | null} as `--on` takes it
 */
export function dateIn(typed) {
  const text = typed.trim().toLowerCase();
  if (/^(19|20)\d\d(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$/.test(text)) return text;
  const words = /^([a-z]{3,9})\.? ((?:19|20)\d\d)$/.exec(text);
  const month = words ? MONTHS.findIndex((name) => name.startsWith(words[1])) : -1;
  return words && month >= 0 ? `${words[2]}-${String(month + 1).padStart(2, "0")}` : null;
}
