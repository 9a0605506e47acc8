-- Files that records hold. What holds them is the records' own columns; here is what became of those that none holds: for
-- which field one was sent (`destination`, until a record holds it), and since when the last that held it has let go.

ALTER TABLE files ADD COLUMN destination TEXT;
ALTER TABLE files ADD COLUMN releasedAt TEXT;

-- As records that are expanded tell it.
ALTER TABLE files ADD COLUMN sizeBytes INTEGER GENERATED ALWAYS AS (size) VIRTUAL;

-- The sweep finds them; so does a write that has let go of some.
CREATE INDEX files_destination ON files (createdAt) WHERE destination IS NOT NULL;
CREATE INDEX files_releasedAt ON files (releasedAt) WHERE releasedAt IS NOT NULL;
