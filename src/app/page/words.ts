import { ApiProblem } from "../../client/problem.ts"
import type { Film } from "./backend.ts"
import { button, element } from "./element.ts"

const dollars = new Intl.NumberFormat("en", {
  style: "currency",
  currency: "USD",
  notation: "compact",
  maximumSignificantDigits: 3,
})
const day = new Intl.DateTimeFormat("en", { dateStyle: "long", timeZone: "UTC" })
const wholes = new Intl.NumberFormat("en")

export const money = (amount: number): string => dollars.format(amount)
export const date = (iso: string): string => day.format(new Date(iso))
export const number = (value: number): string => wholes.format(value)

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${number(count)} ${count === 1 ? one : many}`

export const duration = (minutes: number): string => {
  const hours = Math.floor(minutes / 60)
  return hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`
}

export const yearOf = ({ releasedOn }: Pick<Film, "releasedOn">): string | null =>
  releasedOn?.slice(0, 4) ?? null

/** What went wrong, for a person; what they can do about it, where they can. */
export function inWords(error: unknown): string {
  if (!(error instanceof ApiProblem)) return "Something went wrong on this page."
  switch (error.code) {
    case "unreachable":
      return "The server cannot be reached. Check your connection."
    case "overloaded":
    case "rate_limited":
      return "The server is busy just now. Wait a moment, then try again."
    case "unauthenticated":
    case "token_expired":
    case "token_invalid":
    case "token_outdated":
      return "You are no longer signed in. Sign in, then try again."
    case "precondition_failed":
      return "This was changed elsewhere in the meantime. Look again, then repeat your change."
    case "unreadable":
    case "internal":
      return "Something went wrong on the server."
    default:
      return error.errors.length > 0
        ? error.errors.map(({ message }) => message).join(" ")
        : error.detail
  }
}

/** The same as a box on the page, with the request's id for whoever looks after the server. */
export function troubleBox(error: unknown, retry?: () => void): HTMLElement {
  const requestId = error instanceof ApiProblem ? error.requestId : null
  return element(
    "div",
    { class: "box trouble", role: "alert" },
    element("p", {}, inWords(error)),
    requestId && element("p", { class: "request" }, `Request ${requestId}`),
    retry && button("Try again", retry, { class: "secondary" }),
  )
}
