-- One tag a term, made by one snapshot; numbers that are read at once; folders. Foreign keys are off
-- while this runs and checked at its end.

-- Which snapshot (classifier, vocabulary, a person's own words, calibration, settings) made tags.
CREATE TABLE taggers (
    id       INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE                 -- of the snapshot: the same one makes the same tags
) STRICT;

ALTER TABLE photos ADD COLUMN tagger INTEGER;                          -- taggers.id of what made its tags; negative: it
                                                                       -- left terms out for now; NULL: no model has seen it
ALTER TABLE photos ADD COLUMN places INTEGER NOT NULL DEFAULT 0;       -- kept: its rows in files that are not held as missing
CREATE INDEX photos_by_tagger ON photos (tagger);                      -- what is to be tagged again
DROP INDEX photos_by_time;
ALTER TABLE photos DROP COLUMN captured_unix;

-- Whose tags were kept until now: some other snapshot's.
INSERT INTO taggers (id, identity) VALUES (1, 'schema 3');
UPDATE photos SET tagger = 1 WHERE id IN (
    SELECT e.photo FROM embeddings e JOIN models m ON m.id = e.model AND m.kind = 0);

-- One row a photo and term, whoever said so. Until a photo is tagged again the classifier's stay.
CREATE TABLE tags_next (
    photo      INTEGER NOT NULL REFERENCES photos (id),
    term       INTEGER NOT NULL REFERENCES terms (id),
    confidence INTEGER NOT NULL,                  -- calibrated, in ten-thousandths
    sources    INTEGER NOT NULL,                  -- a set: 1 classifier, 2 vocabulary of the search model, 4 own words
    PRIMARY KEY (photo, term)
) STRICT, WITHOUT ROWID;
INSERT INTO tags_next (photo, term, confidence, sources)
SELECT g.photo, g.term, CAST(round(max(g.confidence) * 10000) AS INTEGER), 1
FROM tags g JOIN models m ON m.id = g.model AND m.kind = 0
WHERE g.source = 0 AND g.confidence >= 0.1 GROUP BY g.photo, g.term;
DROP TABLE tags;
ALTER TABLE tags_next RENAME TO tags;
CREATE INDEX tags_by_term ON tags (term, confidence, photo);           -- query --tag

DROP TABLE labelling;
DROP TABLE label_pools;
DROP TABLE term_words;

-- Folders that files lie in (`folder_of` is photond's: a path without its last part), so that a path or a pattern is a few of them and not every file.
CREATE TABLE folders (
    id     INTEGER PRIMARY KEY,
    root   INTEGER NOT NULL REFERENCES roots (id),
    path   BLOB    NOT NULL,                      -- below the root, no slash at its end; empty: the root itself
    photos INTEGER NOT NULL DEFAULT 0,            -- kept: files here that are photos and not held as missing
    UNIQUE (root, path)
) STRICT;

-- When a photo at this place was taken, for ordering and dates: the camera's clock, else the file's
-- time on the clock here when it was indexed. Seconds, as if that clock were UTC.
CREATE TABLE files_next (
    root          INTEGER NOT NULL REFERENCES roots (id),
    path          BLOB    NOT NULL,               -- relative to the root
    size          INTEGER NOT NULL,
    mtime_ns      INTEGER NOT NULL,
    ctime_ns      INTEGER NOT NULL,               -- 0: look again, the stamp was too fresh to trust
    inode         INTEGER NOT NULL,
    photo         INTEGER REFERENCES photos (id),     -- exactly one of photo and failure is set
    failure       INTEGER REFERENCES failures (id),
    missing_since INTEGER,                        -- set: gone in a mass disappearance, held for confirmation
    folder        INTEGER NOT NULL REFERENCES folders (id),
    taken         INTEGER NOT NULL,
    PRIMARY KEY (root, path),
    CHECK ((photo IS NULL) <> (failure IS NULL))
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO folders (root, path)
SELECT root, folder_of(path) FROM files;
INSERT INTO files_next
SELECT f.root, f.path, f.size, f.mtime_ns, f.ctime_ns, f.inode, f.photo, f.failure, f.missing_since,
    (SELECT d.id FROM folders d WHERE d.root = f.root AND d.path = folder_of(f.path)),
    coalesce(unixepoch((SELECT p.captured_local FROM photos p WHERE p.id = f.photo)),
        unixepoch(f.mtime_ns / 1000000000, 'unixepoch', 'localtime'), 0)
FROM files f;
DROP TABLE files;
ALTER TABLE files_next RENAME TO files;
CREATE INDEX files_by_photo   ON files (photo, root, path, missing_since, taken) WHERE photo IS NOT NULL;
CREATE INDEX files_by_failure ON files (failure) WHERE failure IS NOT NULL;
CREATE INDEX files_missing    ON files (missing_since) WHERE missing_since IS NOT NULL;
CREATE INDEX files_by_taken   ON files (taken, photo, folder) WHERE photo IS NOT NULL AND missing_since IS NULL;
CREATE INDEX files_by_folder  ON files (folder, taken, photo) WHERE photo IS NOT NULL AND missing_since IS NULL;

-- Kept numbers: what a person sees at once is not counted but kept, in the transaction that changes it.
ALTER TABLE roots ADD COLUMN photos  INTEGER NOT NULL DEFAULT 0;       -- files that are photos
ALTER TABLE roots ADD COLUMN failed  INTEGER NOT NULL DEFAULT 0;       -- files that failed
ALTER TABLE roots ADD COLUMN missing INTEGER NOT NULL DEFAULT 0;       -- files held as missing
ALTER TABLE terms ADD COLUMN photos  INTEGER NOT NULL DEFAULT 0;       -- photos with a place that carry it from database.cutoff on
ALTER TABLE database ADD COLUMN photos INTEGER NOT NULL DEFAULT 0;     -- photos with a place
ALTER TABLE database ADD COLUMN cutoff INTEGER NOT NULL DEFAULT 6000;  -- confidence from which a tag is counted
ALTER TABLE database ADD COLUMN again  INTEGER NOT NULL DEFAULT 0;     -- how often a person asked to have all photos tagged again

UPDATE photos SET places = (SELECT count(*) FROM files f WHERE f.photo = photos.id AND f.missing_since IS NULL);
CREATE INDEX photos_nowhere ON photos (id) WHERE places = 0;           -- what a search passes over
UPDATE database SET photos = (SELECT count(*) FROM photos WHERE places > 0);
UPDATE roots SET
    photos  = (SELECT count(*) FROM files f WHERE f.root = roots.id AND f.photo IS NOT NULL AND f.missing_since IS NULL),
    failed  = (SELECT count(*) FROM files f WHERE f.root = roots.id AND f.failure IS NOT NULL AND f.missing_since IS NULL),
    missing = (SELECT count(*) FROM files f WHERE f.root = roots.id AND f.missing_since IS NOT NULL);
UPDATE folders SET photos = (SELECT count(*) FROM files f WHERE f.folder = folders.id AND f.photo IS NOT NULL AND f.missing_since IS NULL);
UPDATE terms SET photos = (SELECT count(*) FROM tags g JOIN photos p ON p.id = g.photo
    WHERE g.term = terms.id AND g.confidence >= 6000 AND p.places > 0);

CREATE TRIGGER files_come AFTER INSERT ON files BEGIN
    UPDATE roots SET
        photos  = photos  + (NEW.photo IS NOT NULL AND NEW.missing_since IS NULL),
        failed  = failed  + (NEW.failure IS NOT NULL AND NEW.missing_since IS NULL),
        missing = missing + (NEW.missing_since IS NOT NULL) WHERE id = NEW.root;
    UPDATE folders SET photos = photos + 1 WHERE id = NEW.folder AND NEW.photo IS NOT NULL AND NEW.missing_since IS NULL;
    UPDATE photos SET places = places + 1 WHERE id = NEW.photo AND NEW.missing_since IS NULL;
END;
CREATE TRIGGER files_go AFTER DELETE ON files BEGIN
    UPDATE roots SET
        photos  = photos  - (OLD.photo IS NOT NULL AND OLD.missing_since IS NULL),
        failed  = failed  - (OLD.failure IS NOT NULL AND OLD.missing_since IS NULL),
        missing = missing - (OLD.missing_since IS NOT NULL) WHERE id = OLD.root;
    UPDATE folders SET photos = photos - 1 WHERE id = OLD.folder AND OLD.photo IS NOT NULL AND OLD.missing_since IS NULL;
    UPDATE photos SET places = places - 1 WHERE id = OLD.photo AND OLD.missing_since IS NULL;
END;
CREATE TRIGGER files_change AFTER UPDATE OF root, folder, photo, failure, missing_since ON files
WHEN OLD.root <> NEW.root OR OLD.folder <> NEW.folder OR OLD.photo IS NOT NEW.photo
    OR (OLD.failure IS NULL) <> (NEW.failure IS NULL) OR (OLD.missing_since IS NULL) <> (NEW.missing_since IS NULL)
BEGIN
    UPDATE roots SET
        photos  = photos  - (OLD.photo IS NOT NULL AND OLD.missing_since IS NULL),
        failed  = failed  - (OLD.failure IS NOT NULL AND OLD.missing_since IS NULL),
        missing = missing - (OLD.missing_since IS NOT NULL) WHERE id = OLD.root;
    UPDATE roots SET
        photos  = photos  + (NEW.photo IS NOT NULL AND NEW.missing_since IS NULL),
        failed  = failed  + (NEW.failure IS NOT NULL AND NEW.missing_since IS NULL),
        missing = missing + (NEW.missing_since IS NOT NULL) WHERE id = NEW.root;
    UPDATE folders SET photos = photos - 1 WHERE id = OLD.folder AND OLD.photo IS NOT NULL AND OLD.missing_since IS NULL;
    UPDATE folders SET photos = photos + 1 WHERE id = NEW.folder AND NEW.photo IS NOT NULL AND NEW.missing_since IS NULL;
    UPDATE photos SET places = places + 1 WHERE id = NEW.photo AND NEW.missing_since IS NULL
        AND (OLD.photo IS NOT NEW.photo OR OLD.missing_since IS NOT NULL);
    UPDATE photos SET places = places - 1 WHERE id = OLD.photo AND OLD.missing_since IS NULL
        AND (OLD.photo IS NOT NEW.photo OR NEW.missing_since IS NOT NULL);
END;
CREATE TRIGGER photos_appear AFTER UPDATE OF places ON photos WHEN (OLD.places > 0) <> (NEW.places > 0) BEGIN
    UPDATE database SET photos = photos + CASE WHEN NEW.places > 0 THEN 1 ELSE -1 END;
    UPDATE terms SET photos = photos + CASE WHEN NEW.places > 0 THEN 1 ELSE -1 END WHERE id IN (
        SELECT term FROM tags WHERE photo = NEW.id AND confidence >= (SELECT cutoff FROM database));
END;
CREATE TRIGGER tags_come AFTER INSERT ON tags WHEN NEW.confidence >= (SELECT cutoff FROM database)
    AND (SELECT places FROM photos WHERE id = NEW.photo) > 0
BEGIN
    UPDATE terms SET photos = photos + 1 WHERE id = NEW.term;
END;
CREATE TRIGGER tags_go AFTER DELETE ON tags WHEN OLD.confidence >= (SELECT cutoff FROM database)
    AND (SELECT places FROM photos WHERE id = OLD.photo) > 0
BEGIN
    UPDATE terms SET photos = photos - 1 WHERE id = OLD.term;
END;
-- A camera's date that a newer decoder reads otherwise.
CREATE TRIGGER photos_dated AFTER UPDATE OF captured_local ON photos WHEN OLD.captured_local IS NOT NEW.captured_local BEGIN
    UPDATE files SET taken = coalesce(unixepoch(NEW.captured_local),
        unixepoch(mtime_ns / 1000000000, 'unixepoch', 'localtime'), 0) WHERE photo = NEW.id;
END;
