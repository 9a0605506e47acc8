-- The change log, the guard, idempotency keys, and the projection of people into this database.

CREATE TABLE changes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  id TEXT NOT NULL,
  at TEXT NOT NULL,
  actor TEXT,
  organisation TEXT,
  subject TEXT NOT NULL,
  record TEXT NOT NULL,
  version INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('created', 'updated', 'deleted')),
  authority TEXT NOT NULL CHECK (authority IN ('rule', 'administrator', 'system')),
  requestId TEXT NOT NULL,
  salt TEXT NOT NULL,
  payload TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX changes_record ON changes (subject, record, version);
CREATE INDEX changes_organisation ON changes (organisation, seq) WHERE organisation IS NOT NULL;

-- Nothing is ever stored here: a row that arrives aborts its batch, and says why.
CREATE TABLE refusals (refusal TEXT NOT NULL) STRICT;
CREATE TRIGGER refusals_abort BEFORE INSERT ON refusals BEGIN
  SELECT RAISE(ABORT, new.refusal);
END;

CREATE TABLE idempotency_keys (
  actor TEXT NOT NULL,
  route TEXT NOT NULL,
  key TEXT NOT NULL,
  requestHash TEXT NOT NULL,
  status INTEGER NOT NULL,
  record TEXT NOT NULL,
  version INTEGER NOT NULL,
  createdAt TEXT NOT NULL,
  PRIMARY KEY (actor, route, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_createdAt ON idempotency_keys (createdAt);

CREATE TABLE members (
  pk INTEGER PRIMARY KEY NOT NULL,
  id TEXT NOT NULL UNIQUE,
  version INTEGER NOT NULL,
  createdAt TEXT NOT NULL,
  updatedAt TEXT NOT NULL,
  createdBy TEXT,
  updatedBy TEXT,
  name TEXT,
  roles TEXT NOT NULL CHECK (json_valid(roles)),
  epoch INTEGER NOT NULL
) STRICT;
CREATE INDEX members_name ON members (name, id);

CREATE TABLE member_organisations (
  organisation TEXT NOT NULL,
  member TEXT NOT NULL REFERENCES members (id),
  roles TEXT NOT NULL CHECK (json_valid(roles)),
  PRIMARY KEY (organisation, member)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_organisations_member ON member_organisations (member, organisation);
