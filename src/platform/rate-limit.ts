import { createHash } from "node:crypto"
import { Problem } from "./problem.ts"

/**
 * Counts a request against its address and, where it carries one, its credential. Both, because a made-up credential
 * must not buy a fresh count. The binding counts per location and approximately: a defence against floods, not a quota.
 *
 * @throws {Problem} `rate_limited` with `Retry-After` in seconds.
 */
export async function limitRate(limiter: RateLimit, request: Request): Promise<void> {
  const keys = [clientAddress(request)]
  const credential = request.headers.get("authorization")
  if (credential) keys.push(createHash("sha256").update(credential).digest("base64url"))
  const outcomes = await Promise.all(keys.map((key) => limiter.limit({ key })))
  if (outcomes.some((outcome) => !outcome.success)) {
    throw new Problem("rate_limited", { headers: { "retry-after": "10" } })
  }
}

/** The caller's address as Cloudflare saw it; one constant where there is no edge in front. */
export const clientAddress = (request: Request): string =>
  request.headers.get("cf-connecting-ip") ?? "127.0.0.1"
