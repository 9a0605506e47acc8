/** HTML that is safe to send. Made by `html` alone, which escapes whatever is not Html itself. */
export interface Html {
  readonly html: string
}

type Part = Html | string | number | null | undefined | false | readonly Part[]

/** A template whose texts are escaped, in content and in quoted attributes. Lists are joined; nothing is nothing. */
export const html = (texts: TemplateStringsArray, ...parts: readonly Part[]): Html => ({
  html: texts.reduce((whole, text, i) => whole + render(parts[i - 1]) + text),
})

function render(part: Part): string {
  if (part === null || part === undefined || part === false) return ""
  if (typeof part === "string" || typeof part === "number") return escapeText(String(part))
  return "html" in part ? part.html : part.map(render).join("")
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
}

const escapeText = (text: string): string =>
  text.replace(/[&<>"']/g, (char) => entities[char] ?? char)
