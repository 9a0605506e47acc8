import type { Settings } from "./settings.ts"

const exposed =
  "Content-Disposition, ETag, Link, Location, Retry-After, Server-Timing, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset, X-Bookmark, X-Request-Id"

/** True for the deployment itself, for origins in the settings, and in development for any loopback origin. */
export function isAllowedOrigin(origin: string, requestUrl: string, settings: Settings): boolean {
  if (origin === new URL(requestUrl).origin) return true
  if (settings.allowedOrigins.includes(origin)) return true
  return settings.development && isLoopback(origin)
}

/** Headers that let a browser on an allowed origin read the answer; for any other origin, none. */
export function corsHeaders(
  request: Request,
  settings: Settings,
): Record<string, string> | undefined {
  const origin = request.headers.get("origin")
  if (!origin) return undefined
  if (!isAllowedOrigin(origin, request.url, settings)) return { vary: "Origin" }
  return {
    "access-control-allow-origin": origin,
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": exposed,
    vary: "Origin",
  }
}

export function preflight(cors: Record<string, string> | undefined): Response {
  return new Response(null, {
    status: 204,
    headers: cors?.["access-control-allow-origin"]
      ? {
          "access-control-allow-methods": "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE",
          "access-control-allow-headers":
            "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, Tus-Resumable, Upload-Checksum, Upload-Length, Upload-Metadata, Upload-Offset, X-Bookmark, X-Captcha-Response",
          "access-control-max-age": "7200",
        }
      : {},
  })
}

/** Origins of this machine itself. */
export function isLoopback(origin: string): boolean {
  try {
    const { hostname } = new URL(origin)
    return (
      hostname === "localhost" ||
      hostname === "[::1]" ||
      /^127(\.\d{1,3}){3}$/.test(hostname) ||
      hostname.endsWith(".localhost")
    )
  } catch {
    return false
  }
}
