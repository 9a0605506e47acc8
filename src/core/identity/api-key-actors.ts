import type { UserActor } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import type { Settings } from "../../platform/settings.ts"
import { type KeyClaims, keyHash, parseKeyText } from "./api-key-text.ts"

/*
 * For whom a key acts, known without a trip: from its text, or, where its holder has changed since it was made, from what
 * this isolate has learned of them (api-key-renewal.ts). Either may be old: the trip of the request itself asks (epoch.ts).
 */
interface Known {
  /** Null for a key that has ended: none comes back. */
  readonly actor: UserActor | null
  readonly expiresAt: number
}

/** By hash, so that no key lies about in memory. */
const known = new WeakMap<Settings, Map<string, Known>>()
const maxKnown = 5_000

/**
 * Synchronous, and never a trip: strangers cannot make the database work by inventing keys.
 *
 * @throws {Problem} `token_invalid` for what this deployment did not issue, and what this isolate knows to have ended;
 * `token_expired`
 */
export function verifyApiKey(text: string, settings: Settings, now: number): UserActor {
  const hash = keyHash(text)
  const found = known.get(settings)?.get(hash) ?? verifyAnew(text, hash, settings)
  if (!found.actor) throw endedKey()
  if (found.expiresAt <= now) throw new Problem("token_expired", "This API key has expired.")
  return found.actor
}

export const endedKey = (): Problem => new Problem("token_invalid", "This API key has ended.")

function verifyAnew(text: string, hash: string, settings: Settings): Known {
  const claims = parseKeyText(settings.secret, text)
  if (!claims) throw new Problem("token_invalid")
  const expiresAt = claims.expiresAt ?? Number.POSITIVE_INFINITY
  const entry = { actor: actorOf(claims, hash), expiresAt }
  remember(settings, hash, entry)
  return entry
}

/** One object for as long as it is true: what its rights compile to is kept with it. */
export const actorOf = (claims: KeyClaims, hash: string): UserActor =>
  Object.freeze({
    kind: "user",
    id: claims.user,
    email: claims.email,
    roles: Object.freeze(claims.roles),
    organisation: claims.organisation,
    database: claims.database,
    epoch: claims.epoch,
    session: claims.id,
    methods: Object.freeze([]),
    authenticatedAt: 0,
    impersonator: null,
    key: Object.freeze({
      id: claims.id,
      hash,
      scopes: Object.freeze(claims.scopes),
      service: claims.service,
    }),
  } satisfies UserActor)

/** From now on this isolate takes the key for that actor, or, with null, for one that has ended. */
export function learn(settings: Settings, hash: string, actor: UserActor | null): void {
  const expiresAt = known.get(settings)?.get(hash)?.expiresAt ?? Number.POSITIVE_INFINITY
  remember(settings, hash, { actor, expiresAt })
}

function remember(settings: Settings, hash: string, entry: Known): void {
  const keys = known.get(settings) ?? new Map<string, Known>()
  known.set(settings, keys)
  if (keys.size >= maxKnown) {
    // A Map keeps the order of insertion: the one that was learned first goes.
    const [oldest] = keys.keys()
    keys.delete(oldest as string)
  }
  keys.set(hash, entry)
}
