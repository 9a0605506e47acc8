-- Variants of images: one row each, from before it is made until after its content is deleted from R2, so that whatever is
-- written late or by a killed process is found by the sweep.

CREATE TABLE file_variants (
  file TEXT NOT NULL,
  name TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  begunAt TEXT NOT NULL,
  failedAt TEXT,
  fileGone INTEGER NOT NULL DEFAULT 0 CHECK (fileGone IN (0, 1)),
  PRIMARY KEY (file, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX file_variants_gone ON file_variants (begunAt) WHERE fileGone = 1;

CREATE TRIGGER files_variants_left AFTER UPDATE OF state ON files WHEN new.state = 'deleted' BEGIN
  UPDATE file_variants SET fileGone = 1 WHERE file = old.id;
END;

CREATE TRIGGER files_variants_lost AFTER DELETE ON files BEGIN
  UPDATE file_variants SET fileGone = 1 WHERE file = old.id;
END;
