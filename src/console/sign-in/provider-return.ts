import type { Messages } from "../messages-en.ts"

/** With what somebody came back from an identity provider who was not let in. */
export interface Return {
  /** Code of the problem. */
  readonly code: string
  /** Of `second_factor_required`: what the second factor answers. */
  readonly challenge: string | null
}

/** What the server has written behind the `#`, once: a reload is no second return. */
export function takeReturn(): Return | null {
  const fragment = new URLSearchParams(location.hash.slice(1))
  const code = fragment.get("error")
  if (code === null) return null
  history.replaceState(history.state, "", location.pathname + location.search)
  return { code, challenge: fragment.get("challenge") }
}

export const wordsForReturn = ({ code }: Return, { signIn }: Messages): string =>
  signIn.refusals[code] ?? signIn.refused
