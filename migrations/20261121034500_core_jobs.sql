-- Jobs: what has to happen later. Enqueued by the batch of the write that causes them.

CREATE TABLE jobs (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  payload TEXT NOT NULL CHECK (json_valid(payload)),
  key TEXT,
  organisation TEXT,
  priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
  lane TEXT,
  laneLimit INTEGER,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'held', 'queued', 'running', 'succeeded', 'cancelled', 'dead')),
  runAt TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  runs INTEGER NOT NULL DEFAULT 0,
  leaseUntil TEXT,
  cancelRequestedAt TEXT,
  progress TEXT CHECK (json_valid(progress)),
  error TEXT,
  requestId TEXT NOT NULL,
  createdAt TEXT NOT NULL,
  startedAt TEXT,
  finishedAt TEXT,
  CHECK ((lane IS NULL) = (laneLimit IS NULL)),
  CHECK ((leaseUntil IS NULL) = (state NOT IN ('queued', 'running'))),
  CHECK ((finishedAt IS NULL) = (state NOT IN ('succeeded', 'cancelled', 'dead')))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX jobs_key ON jobs (name, key) WHERE key IS NOT NULL;
CREATE INDEX jobs_due ON jobs (priority, runAt) WHERE state = 'waiting';
CREATE INDEX jobs_held ON jobs (lane, priority, runAt) WHERE state = 'held';
CREATE INDEX jobs_leases ON jobs (leaseUntil) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_finished ON jobs (state, finishedAt) WHERE finishedAt IS NOT NULL;
CREATE INDEX jobs_state ON jobs (state, id) WHERE state NOT IN ('queued', 'running');
CREATE INDEX jobs_name ON jobs (name, id);

CREATE TABLE job_steps (
  job TEXT NOT NULL REFERENCES jobs (id),
  name TEXT NOT NULL,
  result TEXT NOT NULL CHECK (json_valid(result)),
  at TEXT NOT NULL,
  PRIMARY KEY (job, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_schedules (
  name TEXT PRIMARY KEY NOT NULL,
  definition TEXT NOT NULL,
  nextAt TEXT NOT NULL,
  sinceAt TEXT NOT NULL,
  lastAt TEXT
) STRICT, WITHOUT ROWID;
