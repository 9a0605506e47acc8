-- Uploads that may break off and go on (tus): until when, and what was said of the file. What has arrived of it is known by a
-- Durable Object of its own.
ALTER TABLE files ADD COLUMN expiresAt TEXT;
ALTER TABLE files ADD COLUMN metadata TEXT;
