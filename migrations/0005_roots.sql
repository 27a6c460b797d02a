-- What is known of a file outlives a disk that fails, and a folder is told from its double.

-- failures.id of why the file could not be read when that was last tried; what is known of it stays.
ALTER TABLE files ADD COLUMN trouble INTEGER REFERENCES failures (id);
CREATE INDEX files_troubled ON files (trouble) WHERE trouble IS NOT NULL;

-- Inode of the folder and when it was made: two volumes can have the same name (a device number), and
-- the same inode for their roots. Empty: not known.
ALTER TABLE roots ADD COLUMN mark TEXT NOT NULL DEFAULT '';
