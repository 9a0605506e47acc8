import { Buffer } from "node:buffer"
import * as z from "zod"
import type { UserActor } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import type { Settings } from "../../platform/settings.ts"
import { signingKey, verifyingKey } from "./signing-keys.ts"
import { levelOf } from "./step-up.ts"

/*
 * Access tokens: compact JWS, EdDSA over Ed25519, 15 minutes, proved by signature alone.
 * @see RFC 7515, RFC 7519, RFC 8037; RFC 9068 for `at+jwt`; RFC 8725 for what is checked
 */
export const accessTokenSeconds = 15 * 60

/**
 * A fixed issuer and audience. The request's origin would not do: one deployment answers under several names, and a
 * caller may choose the Host where no edge stands in front. Deployments are told apart by their keys.
 */
const issuer = "hinterland"
const audience = "hinterland"

const headerShape = z.object({ alg: z.literal("EdDSA"), typ: z.literal("at+jwt"), kid: z.string() })

const claimsShape = z.object({
  iss: z.literal(issuer),
  aud: z.literal(audience),
  sub: z.string(),
  sid: z.string(),
  iat: z.number(),
  nbf: z.number().optional(),
  exp: z.number(),
  email: z.string(),
  roles: z.array(z.string()),
  org: z.string().nullable(),
  db: z.string(),
  epoch: z.number().int(),
  // Absent from tokens that were signed before these were known.
  amr: z.array(z.string()).default([]),
  auth_time: z.number().default(0),
  /** For others who read it: we ask the methods themselves. */
  acr: z.string().optional(),
  imp: z.string().nullable().default(null),
  anon: z.boolean().optional(),
})

export async function signAccessToken(
  settings: Settings,
  actor: UserActor,
  now: number,
): Promise<string> {
  const { kid, key } = await signingKey(settings)
  const issuedAt = Math.floor(now / 1000)
  const claims: z.input<typeof claimsShape> = {
    iss: issuer,
    aud: audience,
    sub: actor.id,
    sid: actor.session,
    iat: issuedAt,
    exp: issuedAt + accessTokenSeconds,
    email: actor.email,
    roles: [...actor.roles],
    org: actor.organisation,
    db: actor.database,
    epoch: actor.epoch,
    amr: [...actor.methods],
    auth_time: Math.floor(actor.authenticatedAt / 1000),
    acr: levelOf(actor.methods),
    imp: actor.impersonator,
    ...(actor.anonymous && { anon: true }),
  }
  const signed = `${encode({ alg: "EdDSA", typ: "at+jwt", kid })}.${encode(claims)}`
  const signature = await crypto.subtle.sign("Ed25519", key, Buffer.from(signed))
  return `${signed}.${Buffer.from(signature).toString("base64url")}`
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url")

/** Verified tokens of this isolate until they expire: a verification per request would cost a sixth of a small read. */
interface Verified {
  readonly actor: UserActor
  readonly expiresAt: number
}
const verified = new WeakMap<Settings, Map<string, Verified>>()
const maxVerified = 5_000
const maxTokenLength = 8_192

/**
 * The person whom a token speaks for. Synchronous when this isolate has seen the token before.
 *
 * @throws {Problem} `token_expired`, only for tokens that are ours in every other respect; else `token_invalid`.
 */
export function verifyAccessToken(
  token: string,
  settings: Settings,
  now: number,
): UserActor | Promise<UserActor> {
  const known = verified.get(settings)?.get(token)
  if (!known) return verifyAnew(token, settings, now)
  if (known.expiresAt <= now) throw new Problem("token_expired")
  return known.actor
}

async function verifyAnew(token: string, settings: Settings, now: number): Promise<UserActor> {
  if (token.length > maxTokenLength) throw new Problem("token_invalid")
  const parts = token.split(".")
  if (parts.length !== 3) throw new Problem("token_invalid")
  const [head, body, signature] = parts.map(decode)
  // workerd throws at a signature of another length, where it should say false.
  if (!head || !body || signature?.length !== 64) throw new Problem("token_invalid")
  const header = headerShape.safeParse(parseJson(head))
  // A header that marks an extension as critical (RFC 7515, 4.1.11) asks for what we do not have.
  if (!header.success || "crit" in (parseJson(head) as object)) throw new Problem("token_invalid")
  const key = await verifyingKey(settings, header.data.kid)
  if (!key) throw new Problem("token_invalid")
  const signed = Buffer.from(token.slice(0, token.lastIndexOf(".")))
  if (!(await crypto.subtle.verify("Ed25519", key, signature, signed))) {
    throw new Problem("token_invalid")
  }
  const claims = claimsShape.safeParse(parseJson(body))
  if (!claims.success) throw new Problem("token_invalid")
  const { sub, sid, nbf, exp, email, roles, org, db, epoch, amr, auth_time, imp, anon } =
    claims.data
  if (nbf !== undefined && nbf * 1000 > now) throw new Problem("token_invalid")
  if (exp * 1000 <= now) throw new Problem("token_expired")
  const actor: UserActor = Object.freeze({
    kind: "user",
    id: sub,
    email,
    roles: Object.freeze(roles),
    organisation: org,
    database: db,
    epoch,
    session: sid,
    methods: Object.freeze(amr),
    authenticatedAt: auth_time * 1000,
    impersonator: imp,
    ...(anon && { anonymous: true }),
  })
  remember(settings, token, { actor, expiresAt: exp * 1000 })
  return actor
}

function remember(settings: Settings, token: string, entry: Verified): void {
  const tokens = verified.get(settings) ?? new Map<string, Verified>()
  verified.set(settings, tokens)
  if (tokens.size >= maxVerified) {
    // The oldest goes first: a Map keeps the order of insertion, and the oldest expires soonest.
    const [oldest] = tokens.keys()
    tokens.delete(oldest as string)
  }
  tokens.set(token, entry)
}

/** Null unless `text` is the one canonical base64url form of its bytes: else a changed last letter could pass. */
function decode(text: string): Buffer<ArrayBuffer> | null {
  const bytes = Buffer.from(text, "base64url")
  return bytes.length > 0 && bytes.toString("base64url") === text ? bytes : null
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"))
  } catch {
    return null
  }
}
