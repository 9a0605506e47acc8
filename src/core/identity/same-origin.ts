import { isAllowedOrigin } from "../../platform/cors.ts"
import { Problem } from "../../platform/problem.ts"
import type { Settings } from "../../platform/settings.ts"

/**
 * A cookie proves who sends a request, not who wanted it sent. So a request that lives on a cookie and may change
 * something must come from a page of ours: by `Origin`, or, where a browser sends none, by `Sec-Fetch-Site`.
 * Without either it is refused; programs use `Authorization`.
 *
 * @throws {Problem} `forbidden`
 * @see https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
 */
export function assertOwnOrigin(request: Request, settings: Settings): void {
  const origin = request.headers.get("origin")
  if (origin !== null) {
    if (isAllowedOrigin(origin, request.url, settings)) return
  } else {
    const site = request.headers.get("sec-fetch-site")
    if (site === "same-origin" || site === "none") return
  }
  throw new Problem("forbidden", "This origin may not use the session cookie.")
}
