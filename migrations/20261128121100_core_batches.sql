-- What a list of writes under an Idempotency-Key made of each record: JSON, [record, version, status] for each of them.

ALTER TABLE idempotency_keys ADD COLUMN results TEXT;
