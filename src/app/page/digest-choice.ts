import { filter } from "../../client/filter.ts"
import { hinterland } from "./backend.ts"
import { element } from "./element.ts"
import { notify } from "./notices.ts"
import { inWords } from "./words.ts"

const readers = hinterland.records("digestReaders")

/** Asks for the week's reviews by mail, or does without them. Administrators read of everybody, hence the filter. */
export async function createDigestChoice(member: string): Promise<HTMLElement> {
  const asked = await readers.list({ filter: filter`member = ${member}`, limit: 1 })
  let own = asked.items[0]?.id
  const box = element("input", { type: "checkbox", checked: own !== undefined })
  async function change(): Promise<void> {
    box.disabled = true
    try {
      if (own !== undefined) await readers.delete(own)
      own = box.checked ? (await readers.create({ language })).id : undefined
      notify(box.checked ? "The next digest comes on Monday." : "No further digest will come.")
    } catch (error) {
      box.checked = own !== undefined
      notify(inWords(error))
    }
    box.disabled = false
  }
  box.addEventListener("change", () => void change())
  return element("label", { class: "choice" }, box, "Mail me the new reviews of each week")
}

/** Of the two in which it is written, the one that the browser's owner reads. */
const language = navigator.language.startsWith("de") ? "de" : "en"
