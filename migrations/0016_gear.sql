-- Cameras and lenses are few, and their photos are read off an index: among a million, a look at each took seconds.

CREATE INDEX photos_by_camera ON photos (camera, places) WHERE camera IS NOT NULL;  -- query --camera, and how many each has
CREATE INDEX photos_by_lens ON photos (lens) WHERE lens IS NOT NULL;                -- query --lens
