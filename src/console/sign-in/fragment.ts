/** Where the mails of organisations lead, with a token behind the `#`. */
export const invitationsPath = "/invitations"

const key = "hinterland console fragment"

/** For whoever leaves for an identity provider: what stands behind the `#` is not for servers, and waits in this tab. */
export const keepFragment = (): void => sessionStorage.setItem(key, location.hash)

/** What stands behind the `#`; once back from a provider, what stood there before. */
export function readFragment(): string {
  const kept = sessionStorage.getItem(key)
  sessionStorage.removeItem(key)
  if (kept && !location.hash) {
    history.replaceState(history.state, "", location.pathname + location.search + kept)
  }
  return location.hash.slice(1)
}
