import { Problem } from "../../platform/problem.ts"
import type { Settings } from "../../platform/settings.ts"

/** What a link in a mail is for; each has a page. */
export const linkKinds = [
  "email-verifications",
  "password-resets",
  "email-changes",
  "email-undos",
  "sessions",
  "invitations",
] as const

export type LinkKind = (typeof linkKinds)[number]

/**
 * Leads to a page of ours (link-page.ts) with the token behind the `#`, which no server, log or Referer sees. A page, and
 * not the deed itself: mail filters open every link.
 *
 * @throws {Problem} `misconfigured` where the deployment does not say its PUBLIC_URL.
 */
export function accountLink(settings: Settings, kind: LinkKind, token: string): string {
  if (settings.publicUrl === null) {
    const cause = new Error("PUBLIC_URL: is needed for links in mails")
    throw new Problem("misconfigured", { cause })
  }
  return `${settings.publicUrl}/auth/links/${kind}#${token}`
}
