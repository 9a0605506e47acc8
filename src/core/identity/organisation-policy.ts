import { normaliseEmail } from "./email.ts"
import { levelOf } from "./step-up.ts"

/*
 * What an organisation demands of its members. Pure: no clock, no I/O.
 *
 * A change holds from the next token on, so for sessions that live it holds within the 15 minutes of an access token.
 */

export interface OrganisationPolicy {
  /** Only sessions with a second factor, or a passkey, get tokens of this organisation. */
  readonly secondFactorRequired: boolean
  /** Lower case. Only addresses of these domains, exactly, are invited and may accept; empty: any. Members stay. */
  readonly allowedDomains: readonly string[]
  /** So long after they proved who they are, members sign in again; null: as the deployment has it. */
  readonly sessionSeconds: number | null
}

/** Below it, an access token would outlive its session by more than it lives itself. */
export const minSessionSeconds = 15 * 60
export const maxSessionSeconds = 30 * 24 * 60 * 60

export const openPolicy: OrganisationPolicy = {
  secondFactorRequired: false,
  allowedDomains: [],
  sessionSeconds: null,
}

/** From the column `organisations.policy`, which holds what was set so far. */
export const storedPolicy = (json: string): OrganisationPolicy => ({
  ...openPolicy,
  ...(JSON.parse(json) as Partial<OrganisationPolicy>),
})

/** Whether a session that was opened by these methods gets tokens of the organisation. */
export const admits = (policy: OrganisationPolicy, methods: readonly string[]): boolean =>
  !policy.secondFactorRequired || levelOf(methods) === "aal2"

/** Whether the address is of an allowed domain. A subdomain is another domain. */
export function isAllowedAddress(policy: OrganisationPolicy, email: string): boolean {
  if (policy.allowedDomains.length === 0) return true
  const normalised = normaliseEmail(email)
  return policy.allowedDomains.includes(normalised.slice(normalised.lastIndexOf("@") + 1))
}

/** When a session ends that would otherwise end at `expiresAt`. All in milliseconds since the epoch. */
export const sessionEnd = (
  policy: OrganisationPolicy | null,
  authenticatedAt: number,
  expiresAt: number,
): number =>
  policy?.sessionSeconds
    ? Math.min(expiresAt, authenticatedAt + policy.sessionSeconds * 1_000)
    : expiresAt
