-- Accounts: proofs of identity beside the password, single-use tokens, keys of programs, invitations, the audit log.

ALTER TABLE users ADD COLUMN kind TEXT NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'anonymous', 'service'));
ALTER TABLE users ADD COLUMN emailVerifiedAt TEXT;
ALTER TABLE users ADD COLUMN disabledAt TEXT;
ALTER TABLE users ADD COLUMN locale TEXT;

ALTER TABLE organisations ADD COLUMN policy TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(policy));
ALTER TABLE organisations ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

ALTER TABLE sessions ADD COLUMN methods TEXT NOT NULL DEFAULT '["pwd"]' CHECK (json_valid(methods));
ALTER TABLE sessions ADD COLUMN authenticatedAt TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN impersonator TEXT;
UPDATE sessions SET authenticatedAt = createdAt;

CREATE TABLE account_tokens (
  hash TEXT PRIMARY KEY NOT NULL,
  purpose TEXT NOT NULL,
  user TEXT REFERENCES users (id),
  data TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(data)),
  attempts INTEGER NOT NULL DEFAULT 0,
  createdAt TEXT NOT NULL,
  expiresAt TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX account_tokens_user ON account_tokens (user, purpose);
CREATE INDEX account_tokens_expiresAt ON account_tokens (expiresAt);

CREATE TABLE passkeys (
  id TEXT PRIMARY KEY NOT NULL,
  user TEXT NOT NULL REFERENCES users (id),
  publicKey TEXT NOT NULL,
  counter INTEGER NOT NULL,
  transports TEXT NOT NULL CHECK (json_valid(transports)),
  backedUp INTEGER NOT NULL CHECK (backedUp IN (0, 1)),
  name TEXT NOT NULL,
  createdAt TEXT NOT NULL,
  lastUsedAt TEXT,
  secondFactor INTEGER NOT NULL DEFAULT 0 CHECK (secondFactor IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX passkeys_user ON passkeys (user, createdAt);

CREATE TABLE authenticators (
  id TEXT PRIMARY KEY NOT NULL,
  user TEXT NOT NULL REFERENCES users (id),
  secret TEXT NOT NULL,
  name TEXT NOT NULL,
  lastStep INTEGER NOT NULL,
  createdAt TEXT NOT NULL,
  confirmedAt TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX authenticators_user ON authenticators (user);

CREATE TABLE recovery_codes (
  user TEXT NOT NULL REFERENCES users (id),
  hash TEXT NOT NULL,
  createdAt TEXT NOT NULL,
  usedAt TEXT,
  PRIMARY KEY (user, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
  id TEXT PRIMARY KEY NOT NULL,
  user TEXT NOT NULL REFERENCES users (id),
  organisation TEXT REFERENCES organisations (id),
  name TEXT NOT NULL,
  hash TEXT NOT NULL,
  hint TEXT NOT NULL,
  scopes TEXT NOT NULL CHECK (json_valid(scopes)),
  createdAt TEXT NOT NULL,
  createdBy TEXT NOT NULL,
  expiresAt TEXT,
  lastUsedAt TEXT,
  revokedAt TEXT
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash);
CREATE INDEX api_keys_user ON api_keys (user, id);

CREATE TABLE invitations (
  id TEXT PRIMARY KEY NOT NULL,
  organisation TEXT NOT NULL REFERENCES organisations (id),
  email TEXT NOT NULL,
  emailNormalised TEXT NOT NULL,
  roles TEXT NOT NULL CHECK (json_valid(roles)),
  hash TEXT NOT NULL,
  invitedBy TEXT NOT NULL,
  createdAt TEXT NOT NULL,
  expiresAt TEXT NOT NULL,
  acceptedAt TEXT,
  revokedAt TEXT
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX invitations_hash ON invitations (hash);
CREATE INDEX invitations_organisation ON invitations (organisation, id);

CREATE TABLE audit_events (
  id TEXT PRIMARY KEY NOT NULL,
  at TEXT NOT NULL,
  kind TEXT NOT NULL,
  user TEXT,
  actor TEXT,
  organisation TEXT,
  session TEXT,
  network TEXT,
  userAgent TEXT,
  detail TEXT NOT NULL CHECK (json_valid(detail)),
  requestId TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_events_user ON audit_events (user, id) WHERE user IS NOT NULL;
CREATE INDEX audit_events_organisation ON audit_events (organisation, id) WHERE organisation IS NOT NULL;
