-- What is said of a photo: when and where it was, in whose words, how good it is.

-- By whom, each by itself: what counts of it stands in `photos`, `photo_keywords`, `photo_people`, and is
-- made again from these rows whenever one of them changes.
CREATE TABLE said (
    photo INTEGER NOT NULL REFERENCES photos (id),
    layer INTEGER NOT NULL,                       -- 0 the file itself, 1 what lies beside it
    said  TEXT    NOT NULL,                       -- JSON (src/said.rs); no row: nothing
    PRIMARY KEY (photo, layer)
) STRICT, WITHOUT ROWID;

-- A person's own marks. They belong to the content and outlive the photo's row.
CREATE TABLE marks (
    hash BLOB PRIMARY KEY,                        -- photos.hash
    said TEXT NOT NULL                            -- JSON, as in `said`
) STRICT, WITHOUT ROWID;

ALTER TABLE photos ADD COLUMN dated    TEXT;      -- the best date but for names' and files': ISO 8601 as far as it is known
ALTER TABLE photos ADD COLUMN dated_by INTEGER;   -- the field it is from (said::DateField)
ALTER TABLE photos ADD COLUMN title    TEXT;
ALTER TABLE photos ADD COLUMN caption  TEXT;
ALTER TABLE photos ADD COLUMN rating   INTEGER;   -- 0 to 5 stars; -1: rejected
ALTER TABLE photos ADD COLUMN facts_by INTEGER NOT NULL DEFAULT 0;  -- version of what read `said`; 0: nothing has
CREATE INDEX photos_unread   ON photos (id) WHERE facts_by = 0;
CREATE INDEX photos_by_stars ON photos (rating) WHERE rating IS NOT NULL;  -- query --rating

UPDATE photos SET dated = captured_local, dated_by = 10 WHERE captured_local IS NOT NULL;

-- Words that people give, with what they stand below.
CREATE TABLE keywords (
    id     INTEGER PRIMARY KEY,
    path   TEXT    NOT NULL UNIQUE,               -- all levels, the topmost first, without case, `|` between
    name   TEXT    NOT NULL,                      -- the same as it was first written
    word   TEXT    NOT NULL,                      -- the last level without case and accents
    parent INTEGER REFERENCES keywords (id)
) STRICT;
CREATE INDEX keywords_by_word   ON keywords (word);
CREATE INDEX keywords_by_parent ON keywords (parent) WHERE parent IS NOT NULL;
CREATE TABLE photo_keywords (
    keyword INTEGER NOT NULL REFERENCES keywords (id),
    photo   INTEGER NOT NULL REFERENCES photos (id),
    sources INTEGER NOT NULL,                     -- a set: 1 the file itself, 2 what lies beside it, 4 a person's mark
    PRIMARY KEY (keyword, photo)
) STRICT, WITHOUT ROWID;
CREATE INDEX keywords_of_photo ON photo_keywords (photo);

CREATE TABLE people (
    id   INTEGER PRIMARY KEY,
    word TEXT NOT NULL UNIQUE,                    -- the name without case and accents
    name TEXT NOT NULL
) STRICT;
CREATE TABLE photo_people (
    person  INTEGER NOT NULL REFERENCES people (id),
    photo   INTEGER NOT NULL REFERENCES photos (id),
    sources INTEGER NOT NULL,                     -- as in photo_keywords
    area    TEXT,                                 -- JSON: where the face is, in fractions of the upright picture
    PRIMARY KEY (person, photo)
) STRICT, WITHOUT ROWID;
CREATE INDEX people_of_photo ON photo_people (photo);

-- The words of title, caption, keywords and names of people; rowid is photos.id.
CREATE VIRTUAL TABLE said_words USING fts5 (
    words, content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);

-- Milliseconds from now on, and the file's name counts before its time of change (`name_millis` is photond's).
DROP TRIGGER photos_dated;
UPDATE files SET taken = coalesce(
    1000 * unixepoch((SELECT captured_local FROM photos p WHERE p.id = files.photo)),
    name_millis(path), 1000 * taken);
