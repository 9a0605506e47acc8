import type { Film } from "./backend.ts"
import { meterOf } from "./card.ts"
import { element } from "./element.ts"
import { date, money, number, plural } from "./words.ts"

/** How a film is rated, and the rest of what is known of it. What is not known is not mentioned. */
export function factsOf(film: Film): HTMLElement {
  const facts: [string, string | null][] = [
    ["Released", film.releasedOn && date(film.releasedOn)],
    ["Release date", film.releasedOn ? null : film.releasedOnNote],
    ["Distributor", film.distributor],
    ["Budget", film.productionBudget && money(film.productionBudget)],
    ["US gross", film.usGross && money(film.usGross)],
    ["Worldwide gross", film.worldwideGross && money(film.worldwideGross)],
  ].filter((fact): fact is [string, string] => Boolean(fact[1]))
  return element(
    "section",
    { class: "facts", "aria-label": "Facts" },
    element("div", { class: "ratings" }, ...ratingsOf(film)),
    element(
      "dl",
      {},
      ...facts.map(([name, value]) =>
        element("div", {}, element("dt", {}, name), element("dd", {}, value)),
      ),
    ),
  )
}

function ratingsOf(film: Film): HTMLElement[] {
  const { imdbRating, imdbVotes, rottenTomatoesRating, averageStars, reviewCount } = film
  const ratings: HTMLElement[] = []
  if (averageStars !== null) {
    const label = `Club, ${plural(reviewCount, "review")}`
    ratings.push(meterOf(averageStars / 5, `${averageStars.toFixed(1)} of 5`, label))
  }
  if (imdbRating !== null) {
    const label = imdbVotes === null ? "IMDb" : `IMDb, ${number(imdbVotes)} votes`
    ratings.push(meterOf(imdbRating / 10, `${imdbRating.toFixed(1)} of 10`, label))
  }
  if (rottenTomatoesRating !== null) {
    ratings.push(
      meterOf(rottenTomatoesRating / 100, `${rottenTomatoesRating} %`, "Rotten Tomatoes"),
    )
  }
  return ratings
}
