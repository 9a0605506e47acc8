import { createHash } from "node:crypto"
import type { InputOf } from "../../core/records/collection.ts"
import type { films } from "../films.ts"

/** One row of `movies.json` of the npm package vega-datasets (BSD-3-Clause), as far as we read it. */
export interface Movie {
  readonly Title: string | number | null
  readonly "US Gross": number | null
  readonly "Worldwide Gross": number | null
  readonly "Production Budget": number | null
  /** As in `Jun 12 1998`. */
  readonly "Release Date": string | null
  readonly "MPAA Rating": string | null
  readonly "Running Time min": number | null
  readonly Distributor: string | null
  readonly "Major Genre": string | null
  readonly Director: string | null
  readonly "Rotten Tomatoes Rating": number | null
  readonly "IMDB Rating": number | null
  readonly "IMDB Votes": number | null
}

export type FilmInput = InputOf<typeof films> & { id: string }

/** The films, and what had to be done to the rows to make them so. Rows are counted from 1. */
export interface FilmImport {
  readonly films: readonly FilmInput[]
  /** Dates moved back by a century. */
  readonly corrected: readonly { row: number; title: string; from: string; to: string }[]
  /** Films that kept no date, and why. */
  readonly undated: readonly { row: number; title: string; reason: string }[]
  readonly refused: readonly { row: number; reason: string }[]
}

/** Every row with a title becomes a film, gaps as null. Pure: the same rows give the same films, ids included. */
export function filmsFromMovies(movies: readonly Movie[]): FilmImport {
  const films: FilmInput[] = []
  const corrected: FilmImport["corrected"][number][] = []
  const undated: FilmImport["undated"][number][] = []
  const refused: FilmImport["refused"][number][] = []
  movies.forEach((movie, index) => {
    const row = index + 1
    const title = String(movie.Title ?? "").trim()
    if (!title) {
      refused.push({ row, reason: "The row has no title." })
      return
    }
    const release = readReleaseDate(movie["Release Date"])
    if (release.kind === "corrected") {
      corrected.push({ row, title, from: release.from, to: release.on })
    }
    if (release.kind === "implausible") undated.push({ row, title, reason: release.reason })
    films.push(filmOf(row, title, movie, release))
  })
  return { films, corrected, undated, refused }
}

const filmOf = (row: number, title: string, movie: Movie, release: ReleaseDate): FilmInput => ({
  id: filmId(row),
  title,
  director: movie.Director,
  genre: movie["Major Genre"] as FilmInput["genre"],
  distributor: movie.Distributor,
  mpaaRating: movie["MPAA Rating"] as FilmInput["mpaaRating"],
  releasedOn: "on" in release ? release.on : null,
  releasedOnNote: release.kind === "implausible" ? release.reason : null,
  runningMinutes: movie["Running Time min"],
  imdbRating: movie["IMDB Rating"],
  imdbVotes: movie["IMDB Votes"],
  rottenTomatoesRating: movie["Rotten Tomatoes Rating"],
  usGross: movie["US Gross"],
  worldwideGross: movie["Worldwide Gross"],
  productionBudget: movie["Production Budget"],
})

/**
 * A UUIDv7 that is the same at every load, so that a load which was cut off can go on: the moment counts the rows,
 * the random bits are a hash of the row number.
 */
export function filmId(row: number): string {
  const time = (Date.UTC(2010, 0, 1) + row).toString(16).padStart(12, "0")
  const hash = createHash("sha256").update(`vega-datasets/movies.json ${row}`).digest("hex")
  const variant = ((Number.parseInt(hash.slice(3, 4), 16) & 0x3) | 0x8).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hash.slice(0, 3)}-${variant}${hash.slice(4, 7)}-${hash.slice(7, 19)}`
}

/** A release date as the source means it. Dates are ISO 8601. */
export type ReleaseDate =
  | { kind: "unknown" }
  | { kind: "dated"; on: string }
  | { kind: "corrected"; on: string; from: string }
  | { kind: "implausible"; reason: string }

/** The source was compiled in 2010 and knows announced releases to the end of 2011. */
const lastRelease = "2011-12-31"
/** Roundhay Garden Scene, the oldest film that survives. */
const firstYear = 1888
/** Zero of the Unix clock in an American time zone: the source has it for films of 1970, of 2009 and of 2010 alike. */
const clockZero = "1969-12-31"

/**
 * Years of two digits were once read as 20xx: a film of 1939 is of 2039 in the source. A release after the source's own
 * end is moved back by a century, if there was cinema then; other dates that cannot be true are refused.
 */
export function readReleaseDate(text: string | null): ReleaseDate {
  if (text === null || text.trim() === "") return { kind: "unknown" }
  const date = parseDate(text)
  if (!date) return { kind: "implausible", reason: `The source gives "${text}", which is no date.` }
  if (date === clockZero) {
    return {
      kind: "implausible",
      reason: `The source gives ${date}, the zero of its clock, where it knows no date.`,
    }
  }
  if (date < `${firstYear}`) {
    return { kind: "implausible", reason: `The source gives ${date}, before there was cinema.` }
  }
  if (date <= lastRelease) return { kind: "dated", on: date }
  const on = `${Number(date.slice(0, 4)) - 100}${date.slice(4)}`
  if (on >= `${firstYear}` && on <= lastRelease && isDate(on)) {
    return { kind: "corrected", on, from: date }
  }
  return {
    kind: "implausible",
    reason: `The source gives ${date}, after its own end, and a century earlier is no better.`,
  }
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

/** `Jun 12 1998` as `1998-06-12`; null for anything else, and for days that no month has. */
function parseDate(text: string): string | null {
  const [, name = "", day = "", year = ""] = /^([A-Z][a-z]{2}) (\d{2}) (\d{4})$/.exec(text) ?? []
  const month = months.indexOf(name) + 1
  const date = `${year}-${String(month).padStart(2, "0")}-${day}`
  return month > 0 && isDate(date) ? date : null
}

/** JavaScript reads 2000-02-30 as 1 March, so the date has to come back as it went in. */
function isDate(date: string): boolean {
  const moment = new Date(`${date}T00:00:00Z`)
  return !Number.isNaN(moment.getTime()) && moment.toISOString().startsWith(date)
}
