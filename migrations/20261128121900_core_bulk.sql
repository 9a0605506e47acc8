-- What takes longer than a request: imports, and changes of all that a filter finds. A row is what was asked for and how far
-- it is; it moves on in the batch of the very writes that it counts, so that a process which is killed has done all of a
-- batch or none. Parts of a file wait here until their turn; what was refused stays until the operation is forgotten.

CREATE TABLE bulk_operations (
  id TEXT PRIMARY KEY NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('import', 'update', 'delete')),
  collection TEXT NOT NULL,
  owner TEXT NOT NULL,
  organisation TEXT,
  actor TEXT NOT NULL CHECK (json_valid(actor)),
  request TEXT NOT NULL CHECK (json_valid(request)),
  state TEXT NOT NULL CHECK (state IN ('receiving', 'running', 'succeeded', 'failed')),
  problem TEXT CHECK (json_valid(problem)),
  total INTEGER NOT NULL,
  place TEXT NOT NULL,
  rows INTEGER NOT NULL,
  created INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  unchanged INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  refused INTEGER NOT NULL,
  createdAt TEXT NOT NULL,
  finishedAt TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX bulk_operations_createdAt ON bulk_operations (createdAt);
CREATE INDEX bulk_operations_owner ON bulk_operations (owner, createdAt);

CREATE TABLE bulk_parts (
  operation TEXT NOT NULL REFERENCES bulk_operations (id),
  position INTEGER NOT NULL,
  rows TEXT NOT NULL CHECK (json_valid(rows))
) STRICT;
CREATE UNIQUE INDEX bulk_parts_position ON bulk_parts (operation, position);

CREATE TABLE bulk_refusals (
  operation TEXT NOT NULL REFERENCES bulk_operations (id),
  position INTEGER NOT NULL,
  refusal TEXT NOT NULL CHECK (json_valid(refusal)),
  PRIMARY KEY (operation, position)
) STRICT, WITHOUT ROWID;
