-- What was found of malware in a file; null where nobody has looked. What is `pending` has a job that looks.
ALTER TABLE files ADD COLUMN scan TEXT CHECK (scan IN ('pending', 'clean', 'infected'));
