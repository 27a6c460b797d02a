-- The map asks where every photo was taken that lies somewhere: read off one index, without a look at each photo.

DROP INDEX photos_by_place;
CREATE INDEX photos_by_place ON photos (lat, lon, places) WHERE lat IS NOT NULL;    -- query --near, the map
