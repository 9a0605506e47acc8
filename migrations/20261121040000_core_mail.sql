-- Mail: what was caused, what became of it, and whom no mail is sent to.

CREATE TABLE mails (
  id TEXT PRIMARY KEY NOT NULL,
  cause TEXT NOT NULL,
  template TEXT NOT NULL,
  locale TEXT NOT NULL,
  list TEXT,
  organisation TEXT,
  recipient TEXT,
  address TEXT,
  addressNormalised TEXT,
  name TEXT,
  subject TEXT NOT NULL,
  text TEXT NOT NULL,
  html TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'suppressed', 'failed', 'uncertain')),
  attempts INTEGER NOT NULL DEFAULT 0,
  driver TEXT,
  messageId TEXT,
  error TEXT,
  requestId TEXT NOT NULL,
  createdAt TEXT NOT NULL,
  claimedAt TEXT,
  sentAt TEXT,
  CHECK (recipient IS NOT NULL OR address IS NOT NULL OR subject = ''),
  CHECK (subject <> '' OR state NOT IN ('waiting', 'sending')),
  CHECK ((address IS NULL) = (addressNormalised IS NULL)),
  CHECK ((sentAt IS NULL) = (state <> 'sent')),
  CHECK (state <> 'sending' OR claimedAt IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX mails_cause ON mails (cause);
CREATE INDEX mails_state ON mails (state, id);
CREATE INDEX mails_readable ON mails (id) WHERE subject <> '';
CREATE INDEX mails_template ON mails (template, id);
CREATE INDEX mails_address ON mails (addressNormalised, id) WHERE addressNormalised IS NOT NULL;
CREATE INDEX mails_claimed ON mails (addressNormalised, claimedAt) WHERE claimedAt IS NOT NULL;

CREATE TABLE mail_suppressions (
  id TEXT PRIMARY KEY NOT NULL,
  address TEXT NOT NULL,
  list TEXT NOT NULL,
  reason TEXT NOT NULL CHECK (reason IN ('bounce', 'complaint', 'unsubscribed', 'administrator')),
  detail TEXT,
  createdAt TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX mail_suppressions_address ON mail_suppressions (address, list);
