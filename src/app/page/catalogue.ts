import { hinterland } from "./backend.ts"
import { type CardFilm, cardFields, cardOf } from "./card.ts"
import { add, button, element, fill } from "./element.ts"
import { clearFilters, createFilters, isFiltered } from "./filters.ts"
import { filmQuery } from "./query.ts"
import type { Route } from "./route.ts"
import { plural, troubleBox } from "./words.ts"

/** The films: filters, how many there are, and a grid that grows as one scrolls. */
export function createCatalogue() {
  const filters = createFilters()
  const summary = element("p", { class: "summary", role: "status" })
  const grid = element("ol", { class: "films" })
  const after = element("div", { class: "after" })
  const title = element("h1", { class: "unseen" }, "Films")
  const section = element("section", {}, title, filters.bar, summary, grid, after)
  let shown: string | undefined
  let request = new AbortController()

  /** Shows the films of the route, unless they are shown already. */
  function show(route: Route): void {
    filters.show(route)
    const query = filmQuery(route)
    const wanted = JSON.stringify(query)
    if (wanted === shown) return
    shown = wanted
    request.abort()
    request = new AbortController()
    void load(route, null, request.signal)
  }

  async function load(route: Route, cursor: string | null, signal: AbortSignal): Promise<void> {
    grid.ariaBusy = "true"
    after.replaceChildren()
    if (cursor === null) waitFor(grid)
    try {
      const page = await hinterland.records("films").list(
        {
          ...filmQuery(route),
          fields: cardFields,
          ...(cursor ? { cursor } : { count: true }),
        },
        { signal },
      )
      if (signal.aborted) return
      const cards = page.items.map((film) => element("li", {}, cardOf(film)))
      if (cursor === null) {
        grid.replaceChildren(...cards)
        summary.textContent = summaryOf(route, page.count ?? 0)
        if (cards.length === 0) fill(after, nothingFor(route))
      } else {
        add(grid, ...cards)
      }
      if (page.next) offerMore(() => load(route, page.next, signal))
    } catch (error) {
      if (signal.aborted) return
      if (cursor === null) {
        grid.replaceChildren()
        summary.textContent = ""
      }
      fill(
        after,
        troubleBox(error, () => void load(route, cursor, signal)),
      )
    } finally {
      if (!signal.aborted) grid.ariaBusy = "false"
    }
  }

  /** A button, for those who look for one, that presses itself before the end of the list comes into sight. */
  function offerMore(load: () => void): void {
    const more = button("More films", load, { class: "secondary" })
    fill(after, more)
    new IntersectionObserver(
      ([entry], observer) => {
        if (!more.isConnected) observer.disconnect()
        else if (entry?.isIntersecting) {
          observer.disconnect()
          load()
        }
      },
      { rootMargin: "800px" },
    ).observe(more)
  }

  /** A film has changed: its card, if it is there, is made anew. */
  function update(film: CardFilm): void {
    const card = grid.querySelector(`[data-film="${CSS.escape(film.id)}"]`)
    card?.replaceWith(cardOf(film))
  }

  return { section, show, update }
}

function waitFor(grid: HTMLElement): void {
  const blank = () => element("li", { class: "blank", "aria-hidden": "true" }, element("div"))
  grid.replaceChildren(...Array.from({ length: 12 }, blank))
}

function summaryOf(route: Route, count: number): string {
  if (count === 0) return ""
  const found = plural(count, "film")
  return route.search ? `${found} for “${route.search.trim()}”` : found
}

const nothingFor = (route: Route): HTMLElement =>
  element(
    "div",
    { class: "box" },
    element("h2", {}, "No film is like that"),
    element("p", {}, "Nothing in the collection fits all of what you chose."),
    isFiltered(route) && button("Clear the filters", clearFilters),
  )
