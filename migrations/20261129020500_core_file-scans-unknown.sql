-- What a scanner would not look at is `unknown`, and held as what is `pending`. The column takes the place of one whose CHECK
-- did not know of it.
ALTER TABLE files ADD COLUMN scanned TEXT CHECK (scanned IN ('pending', 'clean', 'infected', 'unknown'));
UPDATE files SET scanned = scan WHERE scan IS NOT NULL;
ALTER TABLE files DROP COLUMN scan;
ALTER TABLE files RENAME COLUMN scanned TO scan;

-- The sweep finds those whose job has given up.
CREATE INDEX files_pending ON files (scan) WHERE scan = 'pending';
