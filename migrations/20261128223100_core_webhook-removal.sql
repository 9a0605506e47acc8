-- Which lines of the log somebody still waits for is asked before they leave for the archive; an endpoint that was deleted
-- stays, emptied, until what was sent to it is swept.

CREATE INDEX webhook_deliveries_unfinished ON webhook_deliveries (seq) WHERE finishedAt IS NULL;

ALTER TABLE webhook_endpoints ADD COLUMN deletedAt TEXT;
