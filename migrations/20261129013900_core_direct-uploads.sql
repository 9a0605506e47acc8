-- Files that are put at R2 without passing through the Worker: until when somebody may still be putting one there. The row
-- stays until then, also of what is deleted, so that nothing is ever there that no row knows of.
ALTER TABLE files ADD COLUMN directUntil TEXT;
