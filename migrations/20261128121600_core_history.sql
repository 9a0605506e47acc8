-- What the change log needs to be read as a product: who acted in another's name, and where deletions lie.

-- Id of the administrator who acted in the name of `actor`.
ALTER TABLE changes ADD COLUMN impersonator TEXT;

-- The bin of a collection, and what one request deleted together. Deletions alone pay for them.
CREATE INDEX changes_deleted ON changes (subject, seq) WHERE kind = 'deleted';
CREATE INDEX changes_deleted_together ON changes (requestId) WHERE kind = 'deleted';
