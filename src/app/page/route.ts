/** What the page shows. All of it is in the address, so that reload, back and a link mean the same. */
export interface Route {
  readonly view: "films" | "lists"
  readonly search: string
  readonly genre: string
  readonly rating: string
  readonly from: string
  readonly to: string
  readonly score: string
  readonly sort: string
  /** Id of the film whose card is open. */
  readonly film: string
}

export const home: Route = {
  view: "films",
  search: "",
  genre: "",
  rating: "",
  from: "",
  to: "",
  score: "",
  sort: "",
  film: "",
}

type Listener = (route: Route) => void
const listeners: Listener[] = []

export function currentRoute(): Route {
  const parameters = new URLSearchParams(location.search)
  const given = Object.fromEntries(
    Object.keys(home).map((name) => [name, parameters.get(name) ?? ""]),
  )
  return { ...home, ...given, view: given.view === "lists" ? "lists" : "films" }
}

export function addressOf(route: Route): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(route)) {
    if (value !== home[name as keyof Route]) parameters.set(name, value)
  }
  return parameters.size > 0 ? `/?${parameters}` : "/"
}

/** Changes parts of the address. `replace` where each keystroke would otherwise be a step to go back over. */
export function go(change: Partial<Route>, how: "push" | "replace" = "push"): void {
  const address = addressOf({ ...currentRoute(), ...change })
  if (address === location.pathname + location.search) return
  if (how === "push") history.pushState({ inside: true }, "", address)
  else history.replaceState(history.state, "", address)
  tell()
}

/** Back to where a film was opened from; from a link that came from elsewhere, to the films. */
export function leaveFilm(): void {
  if (!currentRoute().film) return
  if (history.state?.inside) history.back()
  else go({ film: "" }, "replace")
}

/** Calls `listener` now and whenever the address changes. */
export function onRoute(listener: Listener): void {
  listeners.push(listener)
  listener(currentRoute())
}

/** Links of the page's own are followed without loading it again. */
export function followLinks(): void {
  addEventListener("popstate", tell)
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element && event.target.closest("a[data-route]")
    const elsewhere = event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0
    if (!(link instanceof HTMLAnchorElement) || elsewhere || event.defaultPrevented) return
    event.preventDefault()
    history.pushState({ inside: true }, "", link.href)
    tell()
  })
}

function tell(): void {
  const route = currentRoute()
  for (const listener of listeners) listener(route)
}
