import { type Film, hinterland, onUserChange } from "./backend.ts"
import { button, element, fill } from "./element.ts"
import { factsOf } from "./facts.ts"
import { posterOf } from "./poster.ts"
import { createReviews } from "./reviews.ts"
import { leaveFilm } from "./route.ts"
import { createWatchMenu } from "./watch-menu.ts"
import { duration, troubleBox, yearOf } from "./words.ts"

const siteTitle = document.title

/** One film over the page: what is known of it, what the club thinks, and one's own watch lists. */
export function createFilmDialog(onChanged: (film: Film) => void) {
  const body = element("div", { class: "film" })
  const close = button("×", leaveFilm, { class: "close", "aria-label": "Close" })
  const dialog = element(
    "dialog",
    { class: "sheet", "aria-labelledby": "film-title", onclose: leaveFilm, onclick: closeOutside },
    close,
    body,
  )
  document.body.appendChild(dialog)
  let shown = ""

  function closeOutside(event: Event): void {
    if (event.target === dialog) leaveFilm()
  }

  /** Opens the film with this id; an empty one closes. */
  function show(id: string): void {
    if (id === shown) return
    shown = id
    document.title = siteTitle
    if (!id) {
      dialog.close()
      return
    }
    if (!dialog.open) dialog.showModal()
    dialog.scrollTop = 0
    void load(id)
  }

  async function load(id: string): Promise<void> {
    fill(body, element("p", { class: "waiting", id: "film-title" }, "One moment …"))
    try {
      const film = await hinterland.records("films").get(id)
      if (shown !== id) return
      document.title = `${film.title} · ${siteTitle}`
      fill(body, ...partsOf(film, refresh))
    } catch (error) {
      if (shown === id)
        fill(
          body,
          troubleBox(error, () => void load(id)),
        )
    }
  }

  /** The club's stars have changed. What stands there is good enough until the new ones arrive. */
  async function refresh(id: string): Promise<void> {
    const film = await hinterland
      .records("films")
      .get(id)
      .catch(() => null)
    if (!film) return
    onChanged(film)
    if (shown === id) body.querySelector(".facts")?.replaceWith(factsOf(film))
  }

  onUserChange(() => {
    if (shown) void load(shown)
  })
  return show
}

function partsOf(film: Film, onReviewed: (id: string) => void): HTMLElement[] {
  const running = film.runningMinutes && duration(film.runningMinutes)
  const line = [yearOf(film), film.genre, film.mpaaRating, running].filter(Boolean)
  return [
    element("div", { class: "film-poster", "aria-hidden": "true" }, posterOf(film, "poster")),
    element(
      "header",
      { class: "film-head" },
      element("h2", { id: "film-title" }, film.title),
      film.director && element("p", { class: "director" }, `Directed by ${film.director}`),
      element(
        "p",
        { class: "line" },
        ...line.flatMap((part, i) => [i > 0 && " · ", element("span", {}, part as string)]),
      ),
      createWatchMenu(film),
    ),
    factsOf(film),
    createReviews(film.id, () => onReviewed(film.id)),
  ]
}
