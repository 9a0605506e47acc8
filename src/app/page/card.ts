import type { Film } from "./backend.ts"
import { element } from "./element.ts"
import { posterOf } from "./poster.ts"
import { addressOf, currentRoute } from "./route.ts"
import { plural, yearOf } from "./words.ts"

/** What a card shows of a film: less than the whole, as a list asks for many. */
export const cardFields = [
  "id",
  "title",
  "director",
  "genre",
  "poster",
  "releasedOn",
  "imdbRating",
  "reviewCount",
  "averageStars",
] as const

export type CardFilm = Pick<Film, (typeof cardFields)[number]>

/** A film in a list: poster, whose and when, how it is rated. Leads to the film. */
export function cardOf(film: CardFilm): HTMLElement {
  const byline = [yearOf(film), film.director].filter(Boolean).join(" · ")
  return element(
    "a",
    {
      class: "card",
      href: addressOf({ ...currentRoute(), film: film.id }),
      "data-route": true,
      "data-film": film.id,
    },
    posterOf(film, "thumb"),
    element("span", { class: "byline" }, byline || "Year and director unknown"),
    scoresOf(film),
  )
}

function scoresOf({ imdbRating, averageStars, reviewCount }: CardFilm): HTMLElement {
  return element(
    "span",
    { class: "scores" },
    imdbRating !== null && meterOf(imdbRating / 10, imdbRating.toFixed(1), "IMDb"),
    averageStars !== null &&
      element(
        "span",
        { class: "club", title: `${plural(reviewCount, "review")} by the club` },
        `★ ${averageStars.toFixed(1)}`,
        element("span", { class: "unseen" }, " stars of 5 from the club"),
      ),
  )
}

/** A bar filled to `share` (0 to 1), with its value in words beside it. */
export function meterOf(share: number, value: string, label: string): HTMLElement {
  const bar = element("span", { class: "bar", "aria-hidden": "true" })
  bar.style.setProperty("--share", String(share))
  return element(
    "span",
    { class: "meter" },
    element("span", { class: "meter-label" }, label),
    bar,
    element("span", { class: "meter-value" }, value),
  )
}
