-- Carry missing_since too, though it is nothing in all of their rows: without it each step of a walk looks the
-- file up to see that.
DROP INDEX files_by_taken;
CREATE INDEX files_by_taken  ON files (taken, photo, folder, missing_since) WHERE photo IS NOT NULL AND missing_since IS NULL;
DROP INDEX files_by_folder;
CREATE INDEX files_by_folder ON files (folder, taken, photo, missing_since) WHERE photo IS NOT NULL AND missing_since IS NULL;
