-- What somebody may still be putting at R2 counts until then, also when it was deleted: it may be put there again.
DROP TRIGGER files_released;
DROP TRIGGER files_forgotten;

CREATE TRIGGER files_released AFTER UPDATE OF state ON files WHEN new.state = 'deleted' AND old.state <> 'deleted' AND new.directUntil IS NULL BEGIN
  UPDATE file_usage SET bytes = bytes - old.size, files = files - 1 WHERE holder IN (old.owner, old.organisation);
END;

CREATE TRIGGER files_forgotten AFTER DELETE ON files WHEN old.state <> 'deleted' OR old.directUntil IS NOT NULL BEGIN
  UPDATE file_usage SET bytes = bytes - old.size, files = files - 1 WHERE holder IN (old.owner, old.organisation);
END;

-- Those that counted no more until now.
UPDATE file_usage SET
  bytes = bytes + (SELECT sum(size) FROM files WHERE state = 'deleted' AND state <> 'stored' AND directUntil IS NOT NULL AND holder IN (owner, organisation)),
  files = files + (SELECT count(*) FROM files WHERE state = 'deleted' AND state <> 'stored' AND directUntil IS NOT NULL AND holder IN (owner, organisation))
WHERE holder IN (SELECT owner FROM files WHERE state = 'deleted' AND state <> 'stored' AND directUntil IS NOT NULL UNION SELECT organisation FROM files WHERE state = 'deleted' AND state <> 'stored' AND directUntil IS NOT NULL);
