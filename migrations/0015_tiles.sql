-- Whether the tiles of a gallery are still those that were read: a number instead of a look at all of them.

ALTER TABLE database ADD COLUMN tiles INTEGER NOT NULL DEFAULT 0;  -- places of photos that have come or gone, and other changes to tiles

CREATE TRIGGER tiles_come AFTER INSERT ON files WHEN NEW.photo IS NOT NULL AND NEW.missing_since IS NULL BEGIN
    UPDATE database SET tiles = tiles + 1;
END;
CREATE TRIGGER tiles_go AFTER DELETE ON files WHEN OLD.photo IS NOT NULL AND OLD.missing_since IS NULL BEGIN
    UPDATE database SET tiles = tiles + 1;
END;
-- A name can make a raw and a JPEG one photo.
CREATE TRIGGER tiles_change AFTER UPDATE OF root, path, photo, missing_since, taken ON files
WHEN OLD.root <> NEW.root OR OLD.path <> NEW.path OR OLD.photo IS NOT NEW.photo
    OR (OLD.missing_since IS NULL) <> (NEW.missing_since IS NULL) OR OLD.taken IS NOT NEW.taken
BEGIN
    UPDATE database SET tiles = tiles + (OLD.photo IS NOT NULL AND OLD.missing_since IS NULL)
        + (NEW.photo IS NOT NULL AND NEW.missing_since IS NULL);
END;
CREATE TRIGGER tiles_look AFTER UPDATE OF width, height, format, captured_local ON photos
WHEN OLD.width <> NEW.width OR OLD.height <> NEW.height OR OLD.format <> NEW.format
    OR OLD.captured_local IS NOT NEW.captured_local
BEGIN
    UPDATE database SET tiles = tiles + 1;
END;
