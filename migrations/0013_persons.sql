-- Whose faces they are: only where a person has asked for it (`photond people on`).

-- Everybody whom photos show or name has a row in `people`. Whom nobody has named is called "person 7", and has
-- a word that no name can have.
ALTER TABLE people ADD COLUMN number INTEGER;     -- persons.id where nobody has given a name; NULL: it is a name

-- Somebody whose face has been seen. The id is the number that people see: never given twice.
CREATE TABLE persons (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    people INTEGER NOT NULL UNIQUE REFERENCES people (id)
) STRICT;

-- A cluster of faces that resemble each other. A person has several where somebody said that two are one.
CREATE TABLE looks (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES persons (id)
) STRICT;
CREATE INDEX looks_of_person ON looks (person);

-- A face that can be told from others. Its vector is in `embeddings`. The row outlives the vector: a later model's
-- face at the same place of the same photo is the same person's.
CREATE TABLE faces (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    photo INTEGER NOT NULL REFERENCES photos (id),
    nth   INTEGER NOT NULL,                       -- its place among the photo's faces, from 0
    look  INTEGER REFERENCES looks (id),          -- NULL: nobody's yet
    x0    REAL    NOT NULL,                       -- the box in shares of the upright picture
    y0    REAL    NOT NULL,
    x1    REAL    NOT NULL,
    y1    REAL    NOT NULL,
    UNIQUE (photo, nth)
) STRICT;
CREATE INDEX faces_of_look ON faces (look, photo) WHERE look IS NOT NULL;

-- What a person said of faces. It belongs to the content and the place in it, and outlives all of the above.
CREATE TABLE face_marks (
    hash   BLOB    NOT NULL,                      -- photos.hash
    x0     REAL    NOT NULL,
    y0     REAL    NOT NULL,
    x1     REAL    NOT NULL,
    y1     REAL    NOT NULL,
    person INTEGER                                -- persons.id whose face it is not; NULL: it is to be forgotten
) STRICT;
CREATE INDEX face_marks_by_hash ON face_marks (hash);

-- Rises whenever faces change hands other than by a new photo: what is in memory is read again then.
ALTER TABLE database ADD COLUMN faces_changed INTEGER NOT NULL DEFAULT 0;
