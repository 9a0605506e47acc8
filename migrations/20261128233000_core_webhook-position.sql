-- Up to which line of the log its followers have noted what they have to do, so that each line is noted once. Whoever follows
-- it already goes on behind the last line that it has noted.

ALTER TABLE change_followers ADD COLUMN seq INTEGER;

UPDATE change_followers SET seq = coalesce((SELECT max(seq) FROM webhook_deliveries), (SELECT min(since) FROM webhook_endpoints), 0);
