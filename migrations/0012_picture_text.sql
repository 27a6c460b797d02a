-- What is written in the picture, as a model has read it.

-- Only photos in which something was read have a row; those that were looked at have one in `embeddings`, with
-- the lines' boxes.
CREATE TABLE picture_text (
    photo INTEGER PRIMARY KEY REFERENCES photos (id),
    model INTEGER NOT NULL REFERENCES models (id),
    lines TEXT    NOT NULL                        -- JSON (src/picture_text.rs), in reading order
) STRICT;

-- The words of these lines; rowid is photos.id.
CREATE VIRTUAL TABLE picture_words USING fts5 (
    words, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);

-- Text goes with what says that it was read, and words go with the text.
CREATE TRIGGER text_unread AFTER DELETE ON embeddings
WHEN EXISTS (SELECT 1 FROM picture_text t WHERE t.photo = old.photo AND t.model = old.model)
BEGIN
    DELETE FROM picture_text WHERE photo = old.photo;
END;
CREATE TRIGGER text_forgotten AFTER DELETE ON picture_text
BEGIN
    DELETE FROM picture_words WHERE rowid = old.photo;
END;
