-- film-club: written by "npm run migrate:new". Read it, and change it if you must, before it is applied; never after.

-- new collection films
CREATE TABLE "films" (
  "pk" INTEGER PRIMARY KEY NOT NULL,
  "id" TEXT NOT NULL UNIQUE,
  "version" INTEGER NOT NULL,
  "createdAt" TEXT NOT NULL,
  "updatedAt" TEXT NOT NULL,
  "createdBy" TEXT,
  "updatedBy" TEXT,
  "title" TEXT NOT NULL,
  "director" TEXT,
  "genre" TEXT,
  "distributor" TEXT,
  "mpaaRating" TEXT,
  "releasedOn" TEXT,
  "releasedOnNote" TEXT,
  "runningMinutes" INTEGER,
  "imdbRating" REAL,
  "imdbVotes" INTEGER,
  "rottenTomatoesRating" INTEGER,
  "usGross" INTEGER,
  "worldwideGross" INTEGER,
  "productionBudget" INTEGER,
  "reviewCount" INTEGER NOT NULL DEFAULT 0,
  "averageStars_sum" INTEGER NOT NULL DEFAULT 0,
  "averageStars_count" INTEGER NOT NULL DEFAULT 0,
  "averageStars" REAL GENERATED ALWAYS AS (CAST("averageStars_sum" AS REAL) / nullif("averageStars_count", 0)) VIRTUAL
) STRICT;

-- new collection reviews
CREATE TABLE "reviews" (
  "pk" INTEGER PRIMARY KEY NOT NULL,
  "id" TEXT NOT NULL UNIQUE,
  "version" INTEGER NOT NULL,
  "createdAt" TEXT NOT NULL,
  "updatedAt" TEXT NOT NULL,
  "createdBy" TEXT,
  "updatedBy" TEXT,
  "film" TEXT NOT NULL REFERENCES "films" ("id"),
  "author" TEXT NOT NULL REFERENCES "members" ("id"),
  "stars" INTEGER NOT NULL,
  "body" TEXT
) STRICT;

-- new collection watchlists
CREATE TABLE "watchlists" (
  "pk" INTEGER PRIMARY KEY NOT NULL,
  "id" TEXT NOT NULL UNIQUE,
  "version" INTEGER NOT NULL,
  "createdAt" TEXT NOT NULL,
  "updatedAt" TEXT NOT NULL,
  "createdBy" TEXT,
  "updatedBy" TEXT,
  "owner" TEXT NOT NULL REFERENCES "members" ("id"),
  "name" TEXT NOT NULL
) STRICT;

-- new collection notices
CREATE TABLE "notices" (
  "pk" INTEGER PRIMARY KEY NOT NULL,
  "id" TEXT NOT NULL UNIQUE,
  "version" INTEGER NOT NULL,
  "createdAt" TEXT NOT NULL,
  "updatedAt" TEXT NOT NULL,
  "createdBy" TEXT,
  "updatedBy" TEXT,
  "owner" TEXT NOT NULL REFERENCES "members" ("id"),
  "cause" TEXT NOT NULL,
  "film" TEXT NOT NULL,
  "stars" INTEGER
) STRICT;

-- new to-many field watchlists.films: its join table
CREATE TABLE "watchlists_films" (
  "source" TEXT NOT NULL REFERENCES "watchlists" ("id"),
  "target" TEXT NOT NULL REFERENCES "films" ("id"),
  "position" INTEGER NOT NULL,
  PRIMARY KEY ("source", "target")
) STRICT, WITHOUT ROWID;

-- watchlists_films: indexes
CREATE INDEX "watchlists_films_target" ON "watchlists_films" ("target", "source");

-- films: indexes
CREATE INDEX "films_title" ON "films" ("title", "id");
CREATE INDEX "films_releasedOn" ON "films" ("releasedOn", "id");
CREATE INDEX "films_releasedOn_desc" ON "films" ("releasedOn" DESC, "id");
CREATE INDEX "films_imdbRating_desc" ON "films" ("imdbRating" DESC, "id");
CREATE INDEX "films_averageStars_desc" ON "films" ("averageStars" DESC, "id");
CREATE INDEX "films_genre_imdbRating_desc" ON "films" ("genre", "imdbRating" DESC, "id");
CREATE INDEX "films_genre_releasedOn_desc" ON "films" ("genre", "releasedOn" DESC, "id");

-- reviews: indexes
CREATE UNIQUE INDEX "reviews_film_author_unique" ON "reviews" ("film", "author");
CREATE INDEX "reviews_author" ON "reviews" ("author", "id");
CREATE INDEX "reviews_film_createdAt_desc" ON "reviews" ("film", "createdAt" DESC, "id");
CREATE INDEX "reviews_author_createdAt_desc" ON "reviews" ("author", "createdAt" DESC, "id");
CREATE INDEX "reviews_createdAt_desc" ON "reviews" ("createdAt" DESC, "id");

-- watchlists: indexes
CREATE UNIQUE INDEX "watchlists_owner_name_unique" ON "watchlists" ("owner", "name");

-- notices: indexes
CREATE UNIQUE INDEX "notices_owner_cause_unique" ON "notices" ("owner", "cause");

-- films: full-text search
CREATE VIRTUAL TABLE "films_search" USING fts5 ("title", "director", "distributor", content='films', content_rowid='pk', tokenize='unicode61 remove_diacritics 2', prefix='2 3');

-- reviews: full-text search
CREATE VIRTUAL TABLE "reviews_search" USING fts5 ("body", content='reviews', content_rowid='pk', tokenize='unicode61 remove_diacritics 2', prefix='2 3');

-- films: triggers
CREATE TRIGGER "films_search_insert" AFTER INSERT ON "films" BEGIN
  INSERT INTO "films_search" (rowid, "title", "director", "distributor") VALUES (new.pk, new."title", new."director", new."distributor");
END;
CREATE TRIGGER "films_search_delete" AFTER DELETE ON "films" BEGIN
  INSERT INTO "films_search" ("films_search", rowid, "title", "director", "distributor") VALUES ('delete', old.pk, old."title", old."director", old."distributor");
END;
CREATE TRIGGER "films_search_update" AFTER UPDATE OF "title", "director", "distributor" ON "films" BEGIN
  INSERT INTO "films_search" ("films_search", rowid, "title", "director", "distributor") VALUES ('delete', old.pk, old."title", old."director", old."distributor");
  INSERT INTO "films_search" (rowid, "title", "director", "distributor") VALUES (new.pk, new."title", new."director", new."distributor");
END;

-- reviews: triggers
CREATE TRIGGER "reviews_search_insert" AFTER INSERT ON "reviews" BEGIN
  INSERT INTO "reviews_search" (rowid, "body") VALUES (new.pk, new."body");
END;
CREATE TRIGGER "reviews_search_delete" AFTER DELETE ON "reviews" BEGIN
  INSERT INTO "reviews_search" ("reviews_search", rowid, "body") VALUES ('delete', old.pk, old."body");
END;
CREATE TRIGGER "reviews_search_update" AFTER UPDATE OF "body" ON "reviews" BEGIN
  INSERT INTO "reviews_search" ("reviews_search", rowid, "body") VALUES ('delete', old.pk, old."body");
  INSERT INTO "reviews_search" (rowid, "body") VALUES (new.pk, new."body");
END;
CREATE TRIGGER "films_rollup_reviews_film_insert" AFTER INSERT ON "reviews" BEGIN
  UPDATE "films" SET "reviewCount" = "reviewCount" + 1, "averageStars_sum" = "averageStars_sum" + ifnull(new."stars", 0), "averageStars_count" = "averageStars_count" + (new."stars" IS NOT NULL) WHERE "id" = new."film";
END;
CREATE TRIGGER "films_rollup_reviews_film_delete" AFTER DELETE ON "reviews" BEGIN
  UPDATE "films" SET "reviewCount" = "reviewCount" - 1, "averageStars_sum" = "averageStars_sum" - ifnull(old."stars", 0), "averageStars_count" = "averageStars_count" - (old."stars" IS NOT NULL) WHERE "id" = old."film";
END;
CREATE TRIGGER "films_rollup_reviews_film_update" AFTER UPDATE OF "film", "stars" ON "reviews" WHEN old."film" IS NOT new."film" OR old."stars" IS NOT new."stars" BEGIN
  UPDATE "films" SET "reviewCount" = "reviewCount" - 1, "averageStars_sum" = "averageStars_sum" - ifnull(old."stars", 0), "averageStars_count" = "averageStars_count" - (old."stars" IS NOT NULL) WHERE "id" = old."film";
  UPDATE "films" SET "reviewCount" = "reviewCount" + 1, "averageStars_sum" = "averageStars_sum" + ifnull(new."stars", 0), "averageStars_count" = "averageStars_count" + (new."stars" IS NOT NULL) WHERE "id" = new."film";
END;
