-- Each image that is made costs: how many were begun in a day of each person's files, so that nobody's are without end.

CREATE TABLE images_made (
  owner TEXT NOT NULL,
  day TEXT NOT NULL,
  made INTEGER NOT NULL,
  PRIMARY KEY (owner, day)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER file_variants_begun AFTER INSERT ON file_variants BEGIN
  INSERT INTO images_made (owner, day, made) SELECT owner, substr(new.begunAt, 1, 10), 1 FROM files WHERE id = new.file ON CONFLICT (owner, day) DO UPDATE SET made = made + 1;
END;

CREATE TRIGGER file_variants_begun_again AFTER UPDATE OF attempts ON file_variants BEGIN
  INSERT INTO images_made (owner, day, made) SELECT owner, substr(new.begunAt, 1, 10), 1 FROM files WHERE id = new.file ON CONFLICT (owner, day) DO UPDATE SET made = made + 1;
END;
