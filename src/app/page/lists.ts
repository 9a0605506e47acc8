import { openAccount } from "./account.ts"
import { currentUser, onUserChange, type Watchlist } from "./backend.ts"
import { type CardFilm, cardOf } from "./card.ts"
import { createDigestChoice } from "./digest-choice.ts"
import { button, element, fill } from "./element.ts"
import { notify } from "./notices.ts"
import { createListForm } from "./watch-menu.ts"
import {
  createWatchlist,
  deleteWatchlist,
  listWatchlistsWithFilms,
  setListed,
} from "./watchlists.ts"
import { inWords, plural, troubleBox } from "./words.ts"

/** One's own watch lists, with their films. */
export function createLists() {
  const body = element("div", { class: "lists" })
  const section = element(
    "section",
    { "aria-labelledby": "lists-title" },
    element("h1", { id: "lists-title" }, "Watch lists"),
    body,
  )

  async function show(): Promise<void> {
    const user = currentUser()
    if (!user) {
      fill(body, strangerBox())
      return
    }
    section.ariaBusy = "true"
    try {
      const [lists, digest] = await Promise.all([
        listWatchlistsWithFilms(),
        createDigestChoice(user.id),
      ])
      fill(
        body,
        createListForm("Create", async (name) => {
          await createWatchlist(name, [])
          await show()
        }),
        lists.length === 0 &&
          element("p", { class: "box" }, "No list yet. Make one here, or from any film."),
        ...lists.map((list) =>
          listOf(list, list.expanded.films as readonly unknown[] as readonly CardFilm[], show),
        ),
        digest,
      )
    } catch (error) {
      fill(
        body,
        troubleBox(error, () => void show()),
      )
    }
    section.ariaBusy = "false"
  }

  onUserChange(() => {
    if (section.isConnected) void show()
  })
  return { section, show: () => void show() }
}

const strangerBox = (): HTMLElement =>
  element(
    "div",
    { class: "box" },
    element("p", {}, "Watch lists are for members, and each is seen by its owner alone."),
    button("Sign in", () => openAccount("in")),
  )

function listOf(
  list: Watchlist,
  films: readonly CardFilm[],
  onChanged: () => Promise<void>,
): HTMLElement {
  const change = async (work: () => Promise<unknown>, done: string) => {
    try {
      await work()
      notify(done)
      await onChanged()
    } catch (error) {
      notify(inWords(error))
    }
  }
  const actions = element("div", { class: "actions" })
  const offer = () =>
    fill(
      actions,
      button("Delete list", confirm, {
        class: "plain",
        "aria-label": `Delete the list ${list.name}`,
      }),
    )
  function confirm(): void {
    const yes = () => change(() => deleteWatchlist(list), `“${list.name}” is deleted.`)
    const no = button("Keep it", offer, { class: "plain" })
    fill(
      actions,
      button("Delete it for good", () => void yes(), { class: "danger" }),
      no,
    )
    no.focus()
  }
  offer()
  const entryOf = (film: CardFilm) => {
    const remove = () =>
      change(() => setListed(list, film.id, false), `“${film.title}” is off “${list.name}”.`)
    const label = `Take ${film.title} off ${list.name}`
    return element(
      "li",
      {},
      cardOf(film),
      button("Remove", () => void remove(), { class: "plain", "aria-label": label }),
    )
  }
  return element(
    "section",
    { class: "list", "aria-label": list.name },
    element(
      "header",
      {},
      element("h2", {}, list.name),
      element("span", { class: "quiet" }, plural(films.length, "film")),
      actions,
    ),
    films.length > 0
      ? element("ol", { class: "films" }, ...films.map(entryOf))
      : element("p", { class: "quiet" }, "No film on it yet."),
  )
}
