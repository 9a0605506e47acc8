import { ApiProblem } from "../../client/problem.ts"
import { openAccount } from "./account.ts"
import { currentUser, type Film, type Watchlist } from "./backend.ts"
import { button, element, fill } from "./element.ts"
import { notify } from "./notices.ts"
import { createWatchlist, listWatchlists, setListed } from "./watchlists.ts"
import { inWords, plural, troubleBox } from "./words.ts"

/** On which of one's watch lists a film is, to change; and a new list for it. */
export function createWatchMenu(film: Film): HTMLElement {
  if (!currentUser()) {
    return button("Sign in for watch lists", () => openAccount("in"), { class: "secondary" })
  }
  const summary = element("summary", { class: "secondary" }, "Watch lists")
  const body = element("div", { class: "watch-body" })
  const menu = element("details", { class: "watch" }, summary, body)
  let lists: Watchlist[] = []
  void load()

  async function load(): Promise<void> {
    try {
      lists = await listWatchlists()
      show()
    } catch (error) {
      fill(
        body,
        troubleBox(error, () => void load()),
      )
    }
  }

  function summarise(): void {
    const on = lists.filter(({ films }) => films.includes(film.id)).length
    summary.textContent = on > 0 ? `On ${plural(on, "watch list")}` : "Add to a watch list"
  }

  function show(): void {
    summarise()
    fill(
      body,
      ...lists.map((list) => choiceOf(list)),
      createListForm("New list", async (name) => {
        lists = [...lists, await createWatchlist(name, [film.id])]
        notify(`“${film.title}” is on “${name}”.`)
        show()
      }),
    )
  }

  function choiceOf(list: Watchlist): HTMLElement {
    const box = element("input", { type: "checkbox", checked: list.films.includes(film.id) })
    box.addEventListener("change", async () => {
      box.disabled = true
      try {
        // The list as it is after the changes made here before.
        const current = lists.find(({ id }) => id === list.id) ?? list
        const changed = await setListed(current, film.id, box.checked)
        lists = lists.map((other) => (other.id === changed.id ? changed : other))
        notify(`“${film.title}” is ${box.checked ? "on" : "off"} “${list.name}”.`)
        summarise()
      } catch (error) {
        box.checked = !box.checked
        notify(inWords(error))
      }
      box.disabled = false
    })
    return element("label", { class: "choice" }, box, list.name)
  }

  return menu
}

/** A name and a button: a new watch list. */
export function createListForm(
  label: string,
  create: (name: string) => Promise<void>,
): HTMLElement {
  const input = element("input", {
    name: "name",
    required: true,
    maxlength: 100,
    placeholder: "Name of a new list",
    "aria-label": "Name of a new list",
    autocomplete: "off",
  })
  const trouble = element("p", { class: "form-trouble", role: "alert" })
  const submit = element("button", { type: "submit", class: "secondary" }, label)
  const form = element("form", { class: "list-form" }, input, submit, trouble)
  form.addEventListener("submit", async (event) => {
    event.preventDefault()
    const name = input.value.trim()
    if (!name) return
    submit.disabled = true
    trouble.textContent = ""
    try {
      await create(name)
      input.value = ""
    } catch (error) {
      const taken = error instanceof ApiProblem && error.code === "conflict"
      trouble.textContent = taken ? `You have a list named “${name}” already.` : inWords(error)
    } finally {
      submit.disabled = false
    }
  })
  return form
}
