-- film-posters: written by "npm run migrate:new". Read it, and change it if you must, before it is applied; never after.

-- films: new poster; in records that exist: null
ALTER TABLE "films" ADD COLUMN "poster" TEXT REFERENCES "files" ("id");

-- films: indexes
CREATE INDEX "films_poster" ON "films" ("poster", "id");
