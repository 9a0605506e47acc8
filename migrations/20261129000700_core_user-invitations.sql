-- Invitations to the deployment itself: whoever opens the mailed link has an account with these roles. An invitation that is
-- accepted, taken back or replaced has no row any more; what was done stands in audit_events.

CREATE TABLE user_invitations (
  id TEXT PRIMARY KEY NOT NULL,
  email TEXT NOT NULL,
  emailNormalised TEXT NOT NULL,
  roles TEXT NOT NULL CHECK (json_valid(roles)),
  hash TEXT NOT NULL,
  invitedBy TEXT NOT NULL,
  createdAt TEXT NOT NULL,
  expiresAt TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX user_invitations_hash ON user_invitations (hash);
CREATE UNIQUE INDEX user_invitations_emailNormalised ON user_invitations (emailNormalised);
CREATE INDEX user_invitations_expiresAt ON user_invitations (expiresAt);
