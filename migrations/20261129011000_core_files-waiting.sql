-- A file that was sent for a field waits for a record as one that was let go of does: `releasedAt` is since when.
DROP INDEX files_destination;
