-- Whom other providers know a person as.

CREATE TABLE identities (
  id TEXT PRIMARY KEY NOT NULL,
  user TEXT NOT NULL REFERENCES users (id),
  provider TEXT NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  email TEXT NOT NULL,
  createdAt TEXT NOT NULL,
  lastUsedAt TEXT
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX identities_subject ON identities (issuer, subject);
CREATE INDEX identities_user ON identities (user, createdAt);
