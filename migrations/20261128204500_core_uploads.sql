-- When the last of a file came that is still being received: an upload that broke off frees its place within minutes, and a
-- slow one keeps it.

ALTER TABLE bulk_operations ADD COLUMN receivedAt TEXT;
UPDATE bulk_operations SET receivedAt = createdAt WHERE state = 'receiving';
CREATE INDEX bulk_operations_receiving ON bulk_operations (receivedAt) WHERE state = 'receiving';
