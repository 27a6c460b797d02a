-- Where photos were taken, as people say it: cities, regions, countries. `places` are paths in this schema,
-- so these are localities.

-- Which data localities were named by.
CREATE TABLE gazetteers (
    id       INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE localities (
    id      INTEGER PRIMARY KEY,
    code    TEXT    NOT NULL,                     -- the country's, ISO 3166
    region  TEXT    NOT NULL,                     -- empty: none
    name    TEXT    NOT NULL,                     -- of the city, town or village; empty: known to the region only
    near    INTEGER NOT NULL,                     -- 1: some way outside of it
    country TEXT    NOT NULL,
    photos  INTEGER NOT NULL DEFAULT 0,           -- kept: photos taken there that lie somewhere
    UNIQUE (code, region, name, near)
) STRICT;

-- What people call them, in any language, without case and accents. A word of a country has no region and no
-- name, one of a region has no name.
CREATE TABLE locality_words (
    word   TEXT NOT NULL,
    code   TEXT NOT NULL,
    region TEXT NOT NULL,
    name   TEXT NOT NULL,
    PRIMARY KEY (word, code, region, name)
) STRICT, WITHOUT ROWID;

ALTER TABLE photos ADD COLUMN locality  INTEGER;  -- localities.id; NULL: nowhere, or not looked up yet
ALTER TABLE photos ADD COLUMN gazetteer INTEGER;  -- gazetteers.id of what looked it up; 0: it is to be looked up behind all else; NULL: at once
UPDATE photos SET gazetteer = 0 WHERE lat IS NOT NULL;
CREATE INDEX photos_by_gazetteer ON photos (gazetteer) WHERE lat IS NOT NULL;      -- what is to be looked up
CREATE INDEX photos_by_locality  ON photos (locality) WHERE locality IS NOT NULL;  -- query --place

CREATE TRIGGER photos_elsewhere AFTER UPDATE OF lat, lon ON photos
WHEN OLD.lat IS NOT NEW.lat OR OLD.lon IS NOT NEW.lon
BEGIN
    UPDATE photos SET locality = NULL, gazetteer = NULL WHERE id = NEW.id;
END;
CREATE TRIGGER photos_located AFTER UPDATE OF locality ON photos
WHEN OLD.locality IS NOT NEW.locality AND NEW.places > 0
BEGIN
    UPDATE localities SET photos = photos - 1 WHERE id = OLD.locality;
    UPDATE localities SET photos = photos + 1 WHERE id = NEW.locality;
END;
CREATE TRIGGER photos_appear_there AFTER UPDATE OF places ON photos
WHEN NEW.locality IS NOT NULL AND (OLD.places > 0) <> (NEW.places > 0)
BEGIN
    UPDATE localities SET photos = photos + CASE WHEN NEW.places > 0 THEN 1 ELSE -1 END WHERE id = NEW.locality;
END;
