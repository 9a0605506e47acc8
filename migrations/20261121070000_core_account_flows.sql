-- People are searched by name, events are listed by kind, and an administrator's impersonations are ended together.

CREATE INDEX users_name ON users (name COLLATE NOCASE);
CREATE INDEX audit_events_kind ON audit_events (kind, id);
CREATE INDEX sessions_impersonator ON sessions (impersonator) WHERE impersonator IS NOT NULL;
