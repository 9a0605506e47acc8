import { showAccount } from "./account.ts"
import { hinterland } from "./backend.ts"
import { createCatalogue } from "./catalogue.ts"
import { createFilmDialog } from "./film.ts"
import { watchSearch } from "./filters.ts"
import { createLists } from "./lists.ts"
import { notify } from "./notices.ts"
import { currentRoute, followLinks, onRoute, type Route } from "./route.ts"
import { inWords } from "./words.ts"

const place = (id: string) => document.getElementById(id) as HTMLElement
const main = place("main")
const catalogue = createCatalogue()
const lists = createLists()
const showFilm = createFilmDialog(catalogue.update)
const showSearch = watchSearch(document.querySelector(".search") as HTMLFormElement)

/** Films are the same for everyone and need not wait for this; what is one's own does. */
const userKnown = hinterland.auth.me().catch((error) => notify(inWords(error)))
let view: Route["view"] | undefined

followLinks()
showAccount(place("account"))
onRoute((route) => {
  showSearch(route)
  if (route.view !== view) {
    view = route.view
    main.replaceChildren(view === "lists" ? lists.section : catalogue.section)
    if (view === "lists") void userKnown.then(lists.show)
  }
  if (view === "films") catalogue.show(route)
  void userKnown.then(() => showFilm(currentRoute().film))
})
