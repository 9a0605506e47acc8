-- screenings-by-film: written by "npm run migrate:new". Read it, and change it if you must, before it is applied; never after.

-- screenings: what no longer fits is dropped
DROP INDEX "screenings_film";

-- screenings: indexes
CREATE INDEX "screenings_film" ON "screenings" ("film", "organisation", "id");
