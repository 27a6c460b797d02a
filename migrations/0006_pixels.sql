-- A photo is what is known of it, with or without its picture.

ALTER TABLE photos ADD COLUMN pixels INTEGER NOT NULL DEFAULT 0;  -- 0 whole, 1 damaged, 2 only the embedded thumbnail, 3 none, 4 a small one until there is time for the whole
ALTER TABLE photos ADD COLUMN pixels_kind TEXT;                   -- what is wrong, where something is: truncated, too-large, …
ALTER TABLE photos ADD COLUMN pixels_why TEXT;                    -- the same for people
CREATE INDEX photos_not_whole ON photos (pixels, decoder_version, places) WHERE pixels > 0;
