-- Webhooks that leave: who wants to hear of what, what waits to be told, and what became of it.

CREATE TABLE change_followers (
  name TEXT PRIMARY KEY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_endpoints (
  id TEXT PRIMARY KEY NOT NULL,
  owner TEXT NOT NULL,
  organisation TEXT,
  "key" TEXT,
  url TEXT NOT NULL,
  description TEXT,
  events TEXT NOT NULL,
  filter TEXT,
  fields TEXT,
  headers TEXT,
  headerNames TEXT NOT NULL,
  scheme TEXT NOT NULL,
  secret TEXT NOT NULL,
  publicKey TEXT,
  previousSecret TEXT,
  previousUntil TEXT,
  ratePerSecond INTEGER NOT NULL,
  enabled INTEGER NOT NULL,
  disabledReason TEXT,
  disabledAt TEXT,
  since INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  failingSince TEXT,
  pausedUntil TEXT,
  createdAt TEXT NOT NULL,
  updatedAt TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_endpoints_owner ON webhook_endpoints (owner, organisation, id);

CREATE TABLE webhook_subscriptions (
  subject TEXT NOT NULL,
  kind TEXT NOT NULL,
  endpoint TEXT NOT NULL REFERENCES webhook_endpoints (id),
  PRIMARY KEY (subject, kind, endpoint)
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_subscriptions_endpoint ON webhook_subscriptions (endpoint);

CREATE TABLE webhook_deliveries (
  id TEXT PRIMARY KEY NOT NULL,
  endpoint TEXT NOT NULL REFERENCES webhook_endpoints (id),
  seq INTEGER,
  change TEXT NOT NULL,
  type TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  nextAt TEXT NOT NULL,
  body TEXT,
  createdAt TEXT NOT NULL,
  finishedAt TEXT
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX webhook_deliveries_line ON webhook_deliveries (endpoint, seq);
CREATE INDEX webhook_deliveries_endpoint ON webhook_deliveries (endpoint, id) WHERE state <> 'queued';
CREATE INDEX webhook_deliveries_queue ON webhook_deliveries (endpoint, seq) WHERE state IN ('queued', 'waiting');
CREATE INDEX webhook_deliveries_aside ON webhook_deliveries (endpoint, nextAt) WHERE state = 'retrying';
CREATE INDEX webhook_deliveries_finishedAt ON webhook_deliveries (finishedAt) WHERE finishedAt IS NOT NULL;

CREATE TABLE webhook_attempts (
  id INTEGER PRIMARY KEY NOT NULL,
  delivery TEXT NOT NULL REFERENCES webhook_deliveries (id),
  at TEXT NOT NULL,
  milliseconds INTEGER NOT NULL,
  status INTEGER,
  headers TEXT,
  body TEXT,
  error TEXT
) STRICT;

CREATE INDEX webhook_attempts_delivery ON webhook_attempts (delivery);
