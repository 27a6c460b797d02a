-- The first schema. Content owns results (photos, embeddings, tags); paths only point at it (files).
-- Times are Unix seconds unless a name says otherwise. Enumerations are small integers, listed here.

-- A watched folder on one volume. Two disks that take turns at one mount point are two roots.
CREATE TABLE roots (
    id             INTEGER PRIMARY KEY,
    path           BLOB    NOT NULL,              -- absolute, bytes as the file system has them
    volume         TEXT    NOT NULL,              -- identity of the volume it lies on
    online         INTEGER NOT NULL DEFAULT 1,    -- 0: unplugged or unmounted; its files stay in the index
    added_at       INTEGER NOT NULL,
    last_full_scan INTEGER,                       -- when a scan last walked all of it
    other_files    INTEGER NOT NULL DEFAULT 0,    -- files seen there that are no photos by their name
    note           TEXT,                          -- why it is offline or held back, for people
    UNIQUE (path, volume)
) STRICT;

-- One photo's content. Its identity is the BLAKE3 of the bytes.
CREATE TABLE photos (
    id              INTEGER PRIMARY KEY,
    hash            BLOB    NOT NULL UNIQUE,      -- 32 bytes
    format          TEXT    NOT NULL,             -- what the bytes are: jpeg, png, …
    width           INTEGER NOT NULL,             -- pixels as displayed, orientation applied
    height          INTEGER NOT NULL,
    orientation     INTEGER NOT NULL,             -- EXIF orientation as found, 1 to 8
    captured_local  TEXT,                         -- YYYY-MM-DDTHH:MM:SS on the camera's clock
    captured_offset INTEGER,                      -- minutes east of UTC, where the camera said so
    captured_unix   INTEGER,                      -- the same instant (offset unknown: as if UTC)
    camera          TEXT,
    lens            TEXT,
    exposure_s      REAL,
    f_number        REAL,
    iso             INTEGER,
    focal_length_mm REAL,
    lat             REAL,                         -- degrees north
    lon             REAL,                         -- degrees east
    altitude_m      REAL,
    phash           BLOB    NOT NULL,
    decoder_version INTEGER NOT NULL,             -- which version of the image code made this row
    indexed_at      INTEGER NOT NULL,
    orphaned_at     INTEGER                       -- since when no path points at it; NULL: one does
) STRICT;
CREATE INDEX photos_by_place ON photos (lat, lon) WHERE lat IS NOT NULL;   -- query --near
CREATE INDEX photos_orphaned ON photos (orphaned_at) WHERE orphaned_at IS NOT NULL;  -- the sweep
CREATE INDEX photos_by_time  ON photos (captured_unix);                    -- query --since/--until

-- What could not be indexed, and why. Tied to the content where it was read, to the path where not.
CREATE TABLE failures (
    id              INTEGER PRIMARY KEY,
    hash            BLOB UNIQUE,                  -- the content that failed; NULL: the bytes were never had
    stage           TEXT    NOT NULL,             -- read, inspect, embed
    kind            TEXT    NOT NULL,             -- stable short key: truncated, not-an-image, …
    message         TEXT    NOT NULL,             -- for people
    attempts        INTEGER NOT NULL DEFAULT 1,
    decoder_version INTEGER NOT NULL,             -- retried when the image code has learned something
    failed_at       INTEGER NOT NULL
) STRICT;

-- One place where content lies. The stamp is what the pre-filter compares.
CREATE TABLE files (
    root          INTEGER NOT NULL REFERENCES roots (id),
    path          BLOB    NOT NULL,               -- relative to the root
    size          INTEGER NOT NULL,
    mtime_ns      INTEGER NOT NULL,
    ctime_ns      INTEGER NOT NULL,               -- 0: look again, the stamp was too fresh to trust
    inode         INTEGER NOT NULL,
    photo         INTEGER REFERENCES photos (id),     -- exactly one of photo and failure is set
    failure       INTEGER REFERENCES failures (id),
    missing_since INTEGER,                        -- set: gone in a mass disappearance, held for confirmation
    PRIMARY KEY (root, path),
    CHECK ((photo IS NULL) <> (failure IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX files_by_photo   ON files (photo)   WHERE photo IS NOT NULL;
CREATE INDEX files_by_failure ON files (failure) WHERE failure IS NOT NULL;
CREATE INDEX files_missing    ON files (missing_since) WHERE missing_since IS NOT NULL;

-- Models whose results are stored here.
CREATE TABLE models (
    id   INTEGER PRIMARY KEY,
    name TEXT    NOT NULL UNIQUE,                 -- pack name and revision: efficientnet-lite0@1
    dims INTEGER NOT NULL
) STRICT;

CREATE TABLE embeddings (
    photo  INTEGER NOT NULL REFERENCES photos (id),
    model  INTEGER NOT NULL REFERENCES models (id),
    vector BLOB    NOT NULL,                      -- dims × f16, little endian
    PRIMARY KEY (model, photo)
) STRICT;
CREATE INDEX embeddings_by_photo ON embeddings (photo);                    -- show, sweep

-- Terms that tags name: interned, so that a tag row is small.
CREATE TABLE terms (
    id   INTEGER PRIMARY KEY,
    key  TEXT NOT NULL UNIQUE,                    -- key in its vocabulary: n02084071, c.beach
    name TEXT NOT NULL                            -- shown to people: dog, beach
) STRICT;

CREATE TABLE tags (
    photo      INTEGER NOT NULL REFERENCES photos (id),
    source     INTEGER NOT NULL,                  -- 0 model, 1 user, 2 sidecar
    model      INTEGER NOT NULL DEFAULT 0,        -- models.id; 0 where no model made it
    term       INTEGER NOT NULL REFERENCES terms (id),
    confidence REAL    NOT NULL,                  -- 0 to 1, calibrated
    bank       TEXT    NOT NULL DEFAULT '',       -- version of the label bank that scored it
    PRIMARY KEY (photo, source, model, term)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_term ON tags (term, confidence, photo);               -- query --tag

-- What the daemon is doing, one row, written a few times a minute.
CREATE TABLE daemon (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    pid          INTEGER NOT NULL,
    started_at   INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL,
    report       TEXT    NOT NULL                 -- JSON: activity, queue, rates, watch health, model
) STRICT;
