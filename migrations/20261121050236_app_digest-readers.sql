-- digest-readers: written by "npm run migrate:new". Read it, and change it if you must, before it is applied; never after.

-- new collection digestReaders
CREATE TABLE "digestReaders" (
  "pk" INTEGER PRIMARY KEY NOT NULL,
  "id" TEXT NOT NULL UNIQUE,
  "version" INTEGER NOT NULL,
  "createdAt" TEXT NOT NULL,
  "updatedAt" TEXT NOT NULL,
  "createdBy" TEXT,
  "updatedBy" TEXT,
  "member" TEXT NOT NULL REFERENCES "members" ("id"),
  "language" TEXT NOT NULL DEFAULT 'en'
) STRICT;

-- digestReaders: indexes
CREATE UNIQUE INDEX "digestReaders_member_unique" ON "digestReaders" ("member");
