-- People are listed by kind, and those with an account without wading through the anonymous.

CREATE INDEX users_kind ON users (kind, id);
CREATE INDEX users_accounts ON users (id) WHERE kind <> 'anonymous';
