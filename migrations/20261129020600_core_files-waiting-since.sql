-- Files that were sent for a field before `releasedAt` was since when they wait.
UPDATE files SET releasedAt = createdAt WHERE state = 'stored' AND destination IS NOT NULL AND releasedAt IS NULL;
