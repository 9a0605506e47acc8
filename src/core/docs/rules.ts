import { type Action, actions } from "../identity/key-scopes.ts"
import type { LinkedCollection, LinkedField } from "../records/link.ts"
import { isOpen, type Reader } from "./reader.ts"

/** Who may do it, in a sentence. Rules are shown as they are written, unless they name what the reader may not know of. */
export function ruleSentence(reader: Reader, collection: LinkedCollection, action: Action): string {
  const { rules = {} } = collection.definition.options
  const { update } = rules
  if (action === "update" && typeof update === "object" && update.before !== update.after) {
    return `Allowed ${condition(reader, update.before)}, if after the change it is one ${condition(reader, update.after)}.`
  }
  const text = action === "update" && typeof update === "object" ? update.before : rules[action]
  if (typeof text !== "string") return "Closed: no rule opens this."
  return `Allowed ${condition(reader, text)}.`
}

/** The same for the whole collection, one line an action. */
export function accessSentences(reader: Reader, collection: LinkedCollection): string[] {
  if (collection.builtIn) return ["The deployment writes it; nobody else does."]
  const { administrators } = collection.definition.options
  const closed = actions.filter((action) => collection.rules[action] === null)
  return [
    ...(closed.length === actions.length
      ? ["Closed: it has no rules."]
      : closed.length
        ? [`Closed, because no rule opens it: ${closed.join(", ")}.`]
        : []),
    ...(collection.scoped
      ? ["Each record belongs to one organisation, and no other ever sees it."]
      : []),
    ...(administrators === "obey"
      ? ["Administrators of the deployment are held to the rules like anyone."]
      : reader.view.passes(collection) &&
          actions.some((action) => isOpen(reader, collection, action))
        ? ["You pass these rules as an administrator; the log says so."]
        : []),
  ]
}

/** What is special about reading or giving this field. */
export function fieldSentences(reader: Reader, field: LinkedField): string[] {
  const { readable, writable } = field.options
  return [
    ...(readable !== undefined ? [`Answered only ${condition(reader, readable)}.`] : []),
    ...(writable !== undefined ? [`Set only ${condition(reader, writable)}.`] : []),
  ]
}

function condition(reader: Reader, rule: string): string {
  const text = rule.replace(/\s+/g, " ").trim()
  if (text === "true") return "to anyone"
  if (text === "false") return "to nobody"
  if (text === "@me.id != null") return "to anyone who is signed in"
  if (namesHidden(reader, text)) return "to those whom a rule lets"
  return `where \`${text.replaceAll("`", "'")}\``
}

/** Whether the rule names a field of any collection that this reader can never read: by name alone, to be safe. */
function namesHidden({ collections, view }: Reader, rule: string): boolean {
  const names = new Set(
    rule
      .replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|@(?:me|org)\.\w+/g, " ")
      .match(/[A-Za-z_]\w*/g),
  )
  return [...collections.values()].some((collection) =>
    [...collection.fields.values()].some(
      (field) => names.has(field.name) && view.fieldRule(field) === false,
    ),
  )
}
