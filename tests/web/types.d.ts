// The shapes of what the gallery's modules hand one another, for `npm run check`. Browsers never see them.

/** What a query finds, in order, as typed arrays. */
interface View {
  /** When it was made, in the daemon's count of changes. */
  clock: number;
  /** Which index it is of: part of every picture's address. */
  epoch: string;
  /** Photos. */
  n: number;
  /** Best first, with scores instead of days. */
  ranked: boolean;
  /** Of a ranked view, how many of the first are real answers; else all. */
  confident: number;
  ids: Uint32Array;
  /** Width to height, as 32 steps an octave around 128. */
  ratios: Uint8Array;
  /** Days since 1970 that have photos, in the order of the ids. */
  days: Int32Array;
  /** For each of these days, the index behind its last photo; or for each of the groups. */
  ends: Uint32Array;
  /** Of duplicates, how many are alike; there are no days then. */
  groups?: number[];
  /** Of a ranked view, 255 is closest. */
  scores: Uint8Array;
}

/** Where every line of a view stands. */
interface Layout {
  width: number;
  height: number;
  /** Headings and rows. */
  lines: number;
  /** Of every line, and the end of the last. */
  top: Float64Array;
  /** Photo of every line, and the number of all; a heading has none itself. */
  first: Uint32Array;
  /** Of every line's pictures; 0: a heading. */
  rowHeight: Float32Array;
}

type Query = Record<string, any>;

/** What the address says. */
interface Route {
  /** One of PAGES. */
  page: string;
  query: Query;
  /** Empty: what suits the query. */
  sort: "date" | "best" | "";
  /** Shown in the viewer; 0: none. */
  photo: number;
}

type Row = HTMLElement & { top: number; tiles: Tile[] };
type Tile = HTMLElement & { index: number; photo: number; sharp: number; side: number; img: HTMLImageElement };

interface GridHooks {
  open(index: number): void;
  /** The selection has changed. */
  chosen(): void;
  /** Scrolled, or laid out anew. */
  moved(): void;
}

interface ViewerHooks {
  /** Another photo is shown; 0: none any more. */
  moved(id: number): void;
  search(query: Query): void;
}

interface Facet { name: string; photos: number }

interface Folder { id: number; name: string; path: string; photos: number; folders: number }
type FolderRow = HTMLElement & { folder: Folder; level: number };

interface Gestures {
  /** Around a point; 0: two clicks. */
  zoom(factor: number, at: { x: number; y: number }): void;
  /** By so much, after having moved so much in all. */
  drag(x: number, y: number, event: PointerEvent, moved: number): void;
  up(event: PointerEvent, moved: number): void;
}

/** What may stand in an element; what is nothing is left out. */
type Child = Node | string | null | undefined | false;

interface DaemonEvent { type: string; clock?: number; report?: { activity?: string } }
