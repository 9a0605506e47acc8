-- People, sessions, organisations (the directory), and what a database must know to refuse a revoked session.

CREATE TABLE users (
  id TEXT PRIMARY KEY NOT NULL,
  email TEXT NOT NULL,
  emailNormalised TEXT NOT NULL,
  name TEXT,
  passwordHash TEXT,
  roles TEXT NOT NULL CHECK (json_valid(roles)),
  epoch INTEGER NOT NULL,
  version INTEGER NOT NULL,
  createdAt TEXT NOT NULL,
  updatedAt TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX users_emailNormalised ON users (emailNormalised);
CREATE INDEX users_administrators ON users (id) WHERE instr(roles, '"administrator"') > 0;

CREATE TABLE organisations (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  database TEXT NOT NULL,
  createdAt TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE organisation_members (
  organisation TEXT NOT NULL REFERENCES organisations (id),
  user TEXT NOT NULL REFERENCES users (id),
  roles TEXT NOT NULL CHECK (json_valid(roles)),
  createdAt TEXT NOT NULL,
  PRIMARY KEY (organisation, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX organisation_members_user ON organisation_members (user, createdAt);

CREATE TABLE sessions (
  id TEXT PRIMARY KEY NOT NULL,
  user TEXT NOT NULL REFERENCES users (id),
  organisation TEXT REFERENCES organisations (id),
  refreshHash TEXT NOT NULL,
  userAgent TEXT,
  createdAt TEXT NOT NULL,
  lastUsedAt TEXT NOT NULL,
  expiresAt TEXT NOT NULL,
  revokedAt TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_user ON sessions (user, id);

CREATE TABLE sign_in_attempts (
  key TEXT PRIMARY KEY NOT NULL,
  attempts INTEGER NOT NULL,
  expiresAt TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_attempts_expiresAt ON sign_in_attempts (expiresAt);

CREATE TABLE session_revocations (
  session TEXT PRIMARY KEY NOT NULL,
  expiresAt TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_revocations_expiresAt ON session_revocations (expiresAt);
