-- Files beside photos that speak of them: XMP sidecars, and the notes of a Google Takeout.

CREATE TABLE sidecars (
    root         INTEGER NOT NULL REFERENCES roots (id),
    path         BLOB    NOT NULL,                -- relative to the root
    size         INTEGER NOT NULL,
    mtime_ns     INTEGER NOT NULL,
    ctime_ns     INTEGER NOT NULL,                -- 0: look again, the stamp was too fresh to trust
    inode        INTEGER NOT NULL,
    folder       INTEGER NOT NULL REFERENCES folders (id),
    family       TEXT,                            -- what its name has in common with its photos' (src/sidecar.rs);
                                                  -- NULL: JSON of another kind, which speaks of no photo
    said         TEXT,                            -- JSON (src/said.rs); NULL: it speaks of none, or cannot be read
    derived_from TEXT,                            -- the file that it says it was made for
    trouble      TEXT,                            -- why it cannot be read, for people
    read_by      INTEGER NOT NULL,                -- version of the image code that read it
    PRIMARY KEY (root, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX sidecars_by_family ON sidecars (folder, family) WHERE family IS NOT NULL;
CREATE INDEX sidecars_troubled  ON sidecars (root, path) WHERE trouble IS NOT NULL;

-- The same of a photo's name: who looks for partners looks at a few rows, however large the folder is
-- (`family_of` is photond's).
ALTER TABLE files ADD COLUMN family TEXT NOT NULL DEFAULT '';
UPDATE files SET family = family_of(path);
CREATE INDEX files_by_family ON files (folder, family);
