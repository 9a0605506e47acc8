-- Service accounts in the directory; in each database of records, which API keys are good there, and until when.

CREATE INDEX users_services ON users (id) WHERE kind = 'service';

CREATE TABLE api_key_states (
  id TEXT PRIMARY KEY NOT NULL,
  hash TEXT NOT NULL,
  endsAt TEXT
) STRICT, WITHOUT ROWID;
