import { element, fill } from "./element.ts"

const notices = document.getElementById("notices") as HTMLElement

/** Tells in passing what has been done, in the place of what was told before. Read out, and gone after a while. */
export function notify(text: string): void {
  // While a dialog is open, all that lies outside it is behind it, and silent.
  const host = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body
  if (notices.parentNode !== host) host.appendChild(notices)
  const notice = element("p", {}, text)
  fill(notices, notice)
  setTimeout(() => notice.remove(), 6_000)
}
