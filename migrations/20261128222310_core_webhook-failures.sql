-- When an endpoint failed last: failures weeks apart are not one row of them, after which it would be disabled. Of those that
-- are failing now, the row begins anew.

ALTER TABLE webhook_endpoints ADD COLUMN failedAt TEXT;
