-- Search by words and by likeness: several models side by side, vectors in the order they were
-- written, and the words of names and terms. Foreign keys are off while this runs and checked at
-- its end, since tables that others refer to are made anew.

-- What is true of this database as a whole; one row.
CREATE TABLE database (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    identity   BLOB    NOT NULL,                  -- 16 random bytes; drawn again after a restore, so that derived files notice
    last_photo INTEGER NOT NULL,                  -- highest photos.id ever deleted: ids are never given twice
    words_todo INTEGER NOT NULL                   -- photos up to this id have no row in path_words yet
) STRICT;
INSERT INTO database (one, identity, last_photo, words_todo)
SELECT 1, randomblob(16), 0, coalesce(max(id), 0) FROM photos;

-- dims is 0 once a model's vectors have been dropped; the row stays, so that its id is not given twice.
ALTER TABLE models ADD COLUMN kind    INTEGER NOT NULL DEFAULT 0;  -- 0 classifier, 1 search
ALTER TABLE models ADD COLUMN serving INTEGER NOT NULL DEFAULT 0;  -- 1: the search model that queries use
CREATE UNIQUE INDEX models_serving ON models (serving) WHERE serving = 1;  -- one at most

-- A vector that is written again takes a new seq: what a derived file has not seen is what lies above
-- the last seq it knows.
CREATE TABLE embeddings_next (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,     -- rises with every write, never used twice
    photo  INTEGER NOT NULL REFERENCES photos (id),
    model  INTEGER NOT NULL REFERENCES models (id),
    vector BLOB    NOT NULL,                      -- dims × f16, little endian
    UNIQUE (model, photo)
) STRICT;
INSERT INTO embeddings_next (photo, model, vector)
SELECT photo, model, vector FROM embeddings ORDER BY model, photo;
DROP TABLE embeddings;
ALTER TABLE embeddings_next RENAME TO embeddings;
CREATE INDEX embeddings_by_photo ON embeddings (photo);                    -- show, sweep
CREATE INDEX embeddings_by_model ON embeddings (model);                    -- with seq behind it: what is new

-- What could not be indexed, and why. Tied to the content where it was read, to the path where not;
-- to a model where it is that model's failure alone.
CREATE TABLE failures_next (
    id              INTEGER PRIMARY KEY,
    hash            BLOB,                         -- the content that failed; NULL: the bytes were never had
    model           INTEGER REFERENCES models (id),   -- the model that failed on it; NULL: no model's failure
    stage           TEXT    NOT NULL,             -- scan, read, inspect, embed
    kind            TEXT    NOT NULL,             -- stable short key: truncated, not-an-image, …
    message         TEXT    NOT NULL,             -- for people
    attempts        INTEGER NOT NULL DEFAULT 1,
    decoder_version INTEGER NOT NULL,             -- retried when the image code has learned something
    failed_at       INTEGER NOT NULL
) STRICT;
-- Until now only one model ran, the newest one adopted, and only "model" was its own doing.
INSERT INTO failures_next (id, hash, model, stage, kind, message, attempts, decoder_version, failed_at)
SELECT id, hash, CASE WHEN stage = 'embed' AND kind = 'model' THEN (SELECT max(id) FROM models) END,
       stage, kind, message, attempts, decoder_version, failed_at FROM failures;
DROP TABLE failures;
ALTER TABLE failures_next RENAME TO failures;
CREATE UNIQUE INDEX failures_by_hash ON failures (hash, coalesce(model, 0));  -- one a content and model

-- Carries missing_since too, so that the photos that lie somewhere are read off the index alone.
DROP INDEX files_by_photo;
CREATE INDEX files_by_photo ON files (photo, root, path, missing_since) WHERE photo IS NOT NULL;

-- The words in the names of terms; rowid is terms.id.
CREATE VIRTUAL TABLE term_words USING fts5 (
    words, content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO term_words (rowid, words) SELECT id, name FROM terms;

-- The words in the file and folder names of a photo's places; rowid is photos.id. Filled for
-- photos that were there before by `Store::fill_words`.
CREATE VIRTUAL TABLE path_words USING fts5 (
    words, content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);
