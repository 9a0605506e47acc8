import { accessCookie } from "../identity/cookies.ts"

/** How a caller shows who it is. */
export const securitySchemes = {
  bearer: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description:
      "`Authorization: Bearer …` with the `accessToken` of a session. Signed with Ed25519; the keys are at /.well-known/jwks.json. Or with an API key, `hlk_…`, as far as its scopes go; routes under `/auth` and those of administrators are closed to keys, but `GET /metrics` and `GET /jobs` for administrators' keys with `metrics:read` and `jobs:read`.",
  },
  cookie: {
    type: "apiKey",
    in: "cookie",
    name: accessCookie,
    description:
      "The session of a browser, set by signing in. Requests that may change something must come from a page of an allowed origin.",
  },
} as const

/** The security requirement of an operation: `none` takes a session too, where it is worth something. */
export const securityFor = (
  auth: "none" | "session" | "administrator",
): readonly Readonly<Record<string, readonly string[]>>[] => [
  { bearer: [] },
  { cookie: [] },
  ...(auth === "none" ? [{}] : []),
]
