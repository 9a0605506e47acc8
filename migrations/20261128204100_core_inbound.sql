-- What others have told this deployment, and proved to be theirs.

CREATE TABLE inbound_events (
  id TEXT PRIMARY KEY NOT NULL,
  source TEXT NOT NULL,
  eventId TEXT NOT NULL,
  type TEXT,
  headers TEXT NOT NULL CHECK (json_valid(headers)),
  body TEXT NOT NULL,
  encoding TEXT NOT NULL CHECK (encoding IN ('utf8', 'base64')),
  sizeBytes INTEGER NOT NULL,
  requestId TEXT NOT NULL,
  receivedAt TEXT NOT NULL,
  appliedAt TEXT,
  replays INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX inbound_events_event ON inbound_events (source, eventId);
CREATE INDEX inbound_events_source ON inbound_events (source, id);
CREATE INDEX inbound_events_open ON inbound_events (id) WHERE appliedAt IS NULL;
