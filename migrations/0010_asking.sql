-- What is passed over is known without a daemon too, words in names match whole, and a folder's photos are told
-- from its files.

ALTER TABLE roots ADD COLUMN skipped TEXT NOT NULL DEFAULT '{}';  -- JSON: what the last full scan passed over, counted by rule
ALTER TABLE roots ADD COLUMN linked_by INTEGER;                   -- roots.id of the root with a symbolic link to it, if that is why it is one

-- Without a stemmer, which takes a university for the universe: forms of a word are asked for one by one. Words
-- stand here without case and accents, `ß` as `ss`.
DROP TABLE path_words;
CREATE VIRTUAL TABLE path_words USING fts5 (
    words, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
UPDATE database SET words_todo = coalesce((SELECT max(id) FROM photos), 0);
DROP TABLE said_words;                            -- empty until now: nothing has been read into it
CREATE VIRTUAL TABLE said_words USING fts5 (
    words, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);

ALTER TABLE roots ADD COLUMN contents INTEGER NOT NULL DEFAULT 0;  -- kept: different photos among its files that are photos
UPDATE roots SET contents = (SELECT count(DISTINCT photo) FROM files f
    WHERE f.root = roots.id AND f.photo IS NOT NULL AND f.missing_since IS NULL);
CREATE TRIGGER files_first AFTER INSERT ON files
WHEN NEW.photo IS NOT NULL AND NEW.missing_since IS NULL
    AND NOT EXISTS (SELECT 1 FROM files g INDEXED BY files_by_photo WHERE g.photo = NEW.photo
        AND g.root = NEW.root AND g.path <> NEW.path AND g.missing_since IS NULL)
BEGIN
    UPDATE roots SET contents = contents + 1 WHERE id = NEW.root;
END;
CREATE TRIGGER files_last AFTER DELETE ON files
WHEN OLD.photo IS NOT NULL AND OLD.missing_since IS NULL
    AND NOT EXISTS (SELECT 1 FROM files g INDEXED BY files_by_photo WHERE g.photo = OLD.photo
        AND g.root = OLD.root AND g.missing_since IS NULL)
BEGIN
    UPDATE roots SET contents = contents - 1 WHERE id = OLD.root;
END;
CREATE TRIGGER files_swap AFTER UPDATE OF root, photo, missing_since ON files
WHEN OLD.root <> NEW.root OR OLD.photo IS NOT NEW.photo OR (OLD.missing_since IS NULL) <> (NEW.missing_since IS NULL)
BEGIN
    UPDATE roots SET contents = contents - 1 WHERE id = OLD.root AND OLD.photo IS NOT NULL AND OLD.missing_since IS NULL
        AND NOT EXISTS (SELECT 1 FROM files g INDEXED BY files_by_photo WHERE g.photo = OLD.photo
            AND g.root = OLD.root AND g.missing_since IS NULL);
    UPDATE roots SET contents = contents + 1 WHERE id = NEW.root AND NEW.photo IS NOT NULL AND NEW.missing_since IS NULL
        AND NOT EXISTS (SELECT 1 FROM files g INDEXED BY files_by_photo WHERE g.photo = NEW.photo
            AND g.root = NEW.root AND g.path <> NEW.path AND g.missing_since IS NULL);
END;
