import { genres, ratings } from "../choices.ts"
import { button, element, fill } from "./element.ts"
import { sortOf, sorts } from "./query.ts"
import { currentRoute, go, home, type Route } from "./route.ts"

type Choice = readonly [value: string, name: string]

/** The row of filters over the films. It only changes the address; the list follows that. */
export function createFilters(): { bar: HTMLFormElement; show(route: Route): void } {
  const scores = ["6", "7", "8", "9"].map((score): Choice => [score, `${score} and up`])
  const fields = {
    genre: select("genre", [["", "All genres"], ...genres.map(same), ["none", "No genre given"]]),
    rating: select("rating", [["", "All ratings"], ...ratings.map(same)]),
    score: select("score", [["", "Any score"], ...scores]),
    from: yearInput("from"),
    to: yearInput("to"),
  }
  const order = select("sort", [])
  const clear = button("Clear", clearFilters, { class: "plain" })
  const bar = element(
    "form",
    { class: "filters", "aria-label": "Filter and sort the films" },
    labelled("Genre", fields.genre),
    labelled("Rating", fields.rating),
    labelled("IMDb", fields.score),
    labelled("From", fields.from),
    labelled("To", fields.to),
    labelled("Order", order),
    clear,
  )
  bar.addEventListener("submit", (event) => event.preventDefault())
  return {
    bar,
    show(route) {
      offerSorts(order, route)
      for (const [name, field] of Object.entries(fields)) {
        const value = route[name as keyof typeof fields]
        if (field.value !== value) field.value = value
        field.classList.toggle("chosen", value !== "")
      }
      clear.hidden = !isFiltered(route)
    },
  }
}

const filterNames = ["search", "genre", "rating", "score", "from", "to"] as const

export const isFiltered = (route: Route): boolean => filterNames.some((name) => route[name] !== "")

export const clearFilters = (): void =>
  go(Object.fromEntries(filterNames.map((name) => [name, home[name]])))

const same = (name: string): Choice => [name, name]

const onchange = (event: Event): void => {
  const field = event.target as HTMLSelectElement | HTMLInputElement
  go({ [field.name]: field.value })
}

const labelled = (label: string, field: Node): HTMLElement =>
  element("label", { class: "field" }, element("span", {}, label), field)

const optionsOf = (choices: readonly Choice[]): HTMLElement[] =>
  choices.map(([value, name]) => element("option", { value }, name))

const select = (name: string, choices: readonly Choice[]): HTMLSelectElement =>
  element("select", { name, onchange }, ...optionsOf(choices))

/** As the years arrive digit by digit, the list waits for the fourth. */
const yearInput = (name: "from" | "to"): HTMLInputElement =>
  element("input", {
    name,
    onchange,
    oninput: (event) => {
      const { value } = event.target as HTMLInputElement
      if (/^(\d{4})?$/.test(value)) go({ [name]: value }, "replace")
    },
    inputmode: "numeric",
    maxlength: 4,
    placeholder: "Year",
    autocomplete: "off",
    "aria-label": `Released ${name}, year`,
  })

/** A search has an order of its own, by relevance. */
function offerSorts(field: HTMLSelectElement, route: Route): void {
  const choices: Choice[] = Object.entries(sorts)
  fill(field, ...optionsOf(route.search ? [["", "Best match"], ...choices] : choices))
  field.value = sortOf(route) ?? ""
}

/** The search field of the masthead follows the address, and changes it while someone types. */
export function watchSearch(form: HTMLFormElement): (route: Route) => void {
  const field = form.elements.namedItem("search") as HTMLInputElement
  let timer: ReturnType<typeof setTimeout> | undefined
  const search = () => {
    clearTimeout(timer)
    const { search: before } = currentRoute()
    // The first letter begins a new step back, the others belong to it.
    go({ view: "films", film: "", search: field.value }, before ? "replace" : "push")
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    search()
  })
  field.addEventListener("input", () => {
    clearTimeout(timer)
    timer = setTimeout(search, 250)
  })
  return (route) => {
    if (document.activeElement !== field || route.search === "") field.value = route.search
  }
}
