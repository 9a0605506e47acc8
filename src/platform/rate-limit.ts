import { createHash } from "node:crypto"
import { Problem } from "./problem.ts"

/**
 * Counts a request against its network and, where it carries one, its credential. Both, because a made-up credential
 * must not buy a fresh count. The binding counts per location and approximately: a defence against floods, not a quota.
 *
 * @throws {Problem} `rate_limited` with `Retry-After` in seconds.
 */
export async function limitRate(limiter: RateLimit, request: Request): Promise<void> {
  const keys = [networkOf(clientAddress(request))]
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

/** IPv6 callers own 2^64 addresses: their /64 counts as one. */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address
  if (address.includes(".")) return address.slice(address.lastIndexOf(":") + 1)
  const [head = "", tail] = address.toLowerCase().split("::")
  const groups = head ? head.split(":") : []
  if (tail !== undefined) {
    const after = tail ? tail.split(":") : []
    while (groups.length + after.length < 8) groups.push("0")
    groups.push(...after)
  }
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")
}
