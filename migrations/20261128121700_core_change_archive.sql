-- Lines of the change log that have left for R2: which object holds them, and how far the moving is.

-- An object of NDJSON in R2. What is read from it must have this SHA-256 (hex).
CREATE TABLE change_segments (
  id INTEGER PRIMARY KEY NOT NULL,
  key TEXT NOT NULL UNIQUE,
  sha256 TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  lines INTEGER NOT NULL,
  createdAt TEXT NOT NULL
) STRICT;

-- A line that is in a segment, and no longer in `changes`.
CREATE TABLE archived_changes (
  seq INTEGER PRIMARY KEY NOT NULL,
  subject TEXT NOT NULL,
  record TEXT NOT NULL,
  version INTEGER NOT NULL,
  at TEXT NOT NULL,
  organisation TEXT,
  segment INTEGER NOT NULL REFERENCES change_segments (id)
) STRICT;
CREATE UNIQUE INDEX archived_changes_record ON archived_changes (subject, record, version);

-- Up to which line of the log those of a collection have been looked at.
CREATE TABLE archive_positions (
  subject TEXT PRIMARY KEY NOT NULL,
  seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
