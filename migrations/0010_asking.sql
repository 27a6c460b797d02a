-- What is passed over is known without a daemon too, and words in names match whole.

ALTER TABLE roots ADD COLUMN skipped TEXT NOT NULL DEFAULT '{}';  -- JSON: what the last full scan passed over, counted by rule

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
