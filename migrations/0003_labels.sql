-- Tags scored from search models' vectors against their term banks, beside the classifier's.

-- How far the photos of one search model are labelled. All of it can be made again from the vectors.
CREATE TABLE labelling (
    model      INTEGER PRIMARY KEY REFERENCES models (id),
    scheme     TEXT    NOT NULL,              -- what made the tags, but for the number of rows: bank, calibration, settings
    rows       INTEGER NOT NULL,              -- rows of the bank that a photo with a vector up to seq `done` has been set against
    done       INTEGER NOT NULL,
    pass_rows  INTEGER NOT NULL,              -- a pass over those photos with more rows; 0: none is under way
    pass_done  INTEGER NOT NULL,              -- vectors up to this seq have been through it
    terms      TEXT    NOT NULL,              -- which terms of the user's own the photos have been set against
    terms_done INTEGER NOT NULL,              -- … and up to which seq
    photos     INTEGER NOT NULL,              -- photos scored as they came in: the clock of the pools
    background TEXT    NOT NULL,              -- JSON: what random terms score in this library
    relevance  TEXT    NOT NULL               -- JSON: what the pools know as a whole, the measured miss rate
) STRICT;

-- Terms that are not set against every photo, or have been a tag: those that are not here are
-- active and have never been one.
CREATE TABLE label_pools (
    model    INTEGER NOT NULL REFERENCES models (id),
    row      INTEGER NOT NULL,                -- row of the bank
    pool     INTEGER NOT NULL,                -- 0 active, 1 warm, 2 cold, 3 muted
    hits     INTEGER NOT NULL,                -- photos that kept it as a tag
    last_hit INTEGER NOT NULL,                -- on labelling.photos' clock
    PRIMARY KEY (model, row)
) STRICT, WITHOUT ROWID;
