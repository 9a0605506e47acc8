/* What films can be: for the collection, which stores these values, and for the page, which offers them. */

export const genres = [
  "Action",
  "Adventure",
  "Black Comedy",
  "Comedy",
  "Concert/Performance",
  "Documentary",
  "Drama",
  "Horror",
  "Musical",
  "Romantic Comedy",
  "Thriller/Suspense",
  "Western",
] as const

/** Of the Motion Picture Association, mildest first; what it did not rate, last. */
export const ratings = ["G", "PG", "PG-13", "R", "NC-17", "Not Rated", "Open"] as const
