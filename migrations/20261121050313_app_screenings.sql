-- screenings: written by "npm run migrate:new". Read it, and change it if you must, before it is applied; never after.

-- new collection screenings
CREATE TABLE "screenings" (
  "pk" INTEGER PRIMARY KEY NOT NULL,
  "id" TEXT NOT NULL UNIQUE,
  "organisation" TEXT NOT NULL,
  "version" INTEGER NOT NULL,
  "createdAt" TEXT NOT NULL,
  "updatedAt" TEXT NOT NULL,
  "createdBy" TEXT,
  "updatedBy" TEXT,
  "film" TEXT NOT NULL REFERENCES "films" ("id"),
  "startsAt" TEXT NOT NULL,
  "place" TEXT NOT NULL,
  "seats" INTEGER,
  "notes" TEXT
) STRICT;

-- screenings: indexes
CREATE INDEX "screenings_id" ON "screenings" ("organisation", "id");
CREATE INDEX "screenings_film" ON "screenings" ("organisation", "film", "id");
CREATE INDEX "screenings_startsAt" ON "screenings" ("organisation", "startsAt", "id");
