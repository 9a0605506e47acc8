-- related-by-id: written by "npm run migrate:new". Read it, and change it if you must, before it is applied; never after.

-- reviews: indexes
CREATE INDEX "reviews_film" ON "reviews" ("film", "id");
