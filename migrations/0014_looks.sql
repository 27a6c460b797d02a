-- What tells a picture's kind: a screenshot, a page, a drawing, black and white, how much sky there is.

ALTER TABLE photos ADD COLUMN looks BLOB;         -- a few numbers (src/looks.rs); NULL: not looked at for it yet

-- Photos that are there are looked at once more, small.
UPDATE photos SET facts_by = 0;
