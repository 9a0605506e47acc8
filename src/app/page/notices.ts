import { element } from "./element.ts"

/** Tells in passing what has been done. Read out, and gone after a while. */
export function notify(text: string): void {
  const notice = element("p", {}, text)
  document.getElementById("notices")?.append(notice)
  setTimeout(() => notice.remove(), 6_000)
}
