-- Files: what is known of each, in the database of its organisation; the content is in R2 under its id. A row comes before
-- its content (`uploading`) and leaves after it (`deleted`), so that whatever a killed process left in R2 has a row by which
-- the sweep finds it.

CREATE TABLE files (
  id TEXT PRIMARY KEY NOT NULL,
  owner TEXT NOT NULL,
  organisation TEXT,
  state TEXT NOT NULL CHECK (state IN ('uploading', 'stored', 'deleted')),
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  size INTEGER NOT NULL CHECK (size >= 0),
  sha256 TEXT,
  width INTEGER,
  height INTEGER,
  createdAt TEXT NOT NULL,
  CHECK (state <> 'stored' OR sha256 IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX files_owner ON files (owner, id) WHERE state = 'stored';
CREATE INDEX files_state ON files (state, id) WHERE state <> 'stored';

-- How much each person and organisation has, what is under way included: quotas are judged by it.
CREATE TABLE file_usage (
  holder TEXT PRIMARY KEY NOT NULL,
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  files INTEGER NOT NULL CHECK (files >= 0)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER files_counted AFTER INSERT ON files WHEN new.state <> 'deleted' BEGIN
  INSERT INTO file_usage (holder, bytes, files) VALUES (new.owner, new.size, 1) ON CONFLICT (holder) DO UPDATE SET bytes = bytes + new.size, files = files + 1;
  INSERT INTO file_usage (holder, bytes, files) SELECT new.organisation, new.size, 1 WHERE new.organisation IS NOT NULL ON CONFLICT (holder) DO UPDATE SET bytes = bytes + new.size, files = files + 1;
END;

CREATE TRIGGER files_released AFTER UPDATE OF state ON files WHEN new.state = 'deleted' AND old.state <> 'deleted' BEGIN
  UPDATE file_usage SET bytes = bytes - old.size, files = files - 1 WHERE holder IN (old.owner, old.organisation);
END;

CREATE TRIGGER files_forgotten AFTER DELETE ON files WHEN old.state <> 'deleted' BEGIN
  UPDATE file_usage SET bytes = bytes - old.size, files = files - 1 WHERE holder IN (old.owner, old.organisation);
END;
