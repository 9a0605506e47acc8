import { isLoopback } from "../../platform/cors.ts"
import { Problem } from "../../platform/problem.ts"
import type { Settings } from "../../platform/settings.ts"

/** For whom passkeys are made: the site of the page that asks (WebAuthn, 5.1.2). */
export interface RelyingParty {
  readonly origin: string
  /** Its domain. */
  readonly id: string
}

/**
 * The page that sends this request, when it is one of the deployment's. The origin that the request itself is addressed to
 * proves nothing: where no edge stands in front, a caller may choose the Host, and a site in between could pass our
 * challenges on under its own name.
 *
 * @throws {Problem} `forbidden`
 */
export function relyingPartyOf(request: Request, settings: Settings): RelyingParty {
  const origin = request.headers.get("origin") ?? new URL(request.url).origin
  const known =
    origin === settings.publicUrl ||
    settings.allowedOrigins.includes(origin) ||
    (settings.development && isLoopback(origin))
  if (!known) {
    throw new Problem(
      "forbidden",
      "Passkeys are for pages of PUBLIC_URL and ALLOWED_ORIGINS of this deployment.",
    )
  }
  return { origin, id: new URL(origin).hostname }
}
