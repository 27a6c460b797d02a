-- What is passed over is known without a daemon too.

ALTER TABLE roots ADD COLUMN skipped TEXT NOT NULL DEFAULT '{}';  -- JSON: what the last full scan passed over, counted by rule
