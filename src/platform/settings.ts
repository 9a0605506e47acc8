import { z } from "zod"
import { Problem } from "./problem.ts"

const jwk = z.object({
  kid: z.string().min(1),
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string(),
  d: z.string(),
})

const variables = z.object({
  /** `development` opens CORS to loopback origins and shows Server-Timing. */
  ENVIRONMENT: z.enum(["development", "production"]).default("production"),
  /** 32 random bytes or more, in any encoding: signs bookmarks. */
  SECRET: z.string().min(32),
  /** JSON array of private Ed25519 JWKs with `kid`; the first one signs, all of them verify. */
  SIGNING_KEYS: z
    .string()
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown
      } catch {
        context.addIssue({ code: "custom", message: "is not JSON" })
        return z.NEVER
      }
    })
    .pipe(z.array(jwk).min(1)),
  /** Origins that browsers may call from, separated by commas. The deployment's own origin always may. */
  ALLOWED_ORIGINS: z
    .string()
    .default("")
    .transform((text) =>
      text
        .split(",")
        .map((origin) => origin.trim())
        .filter(Boolean),
    ),
  /** `on` counts requests per key and address; `off` for benchmarks and for private networks. */
  RATE_LIMIT: z.enum(["on", "off"]).optional(),
  /** `on` where read replication is switched on for the databases: reads may then go to the nearest replica. */
  READ_REPLICATION: z.enum(["on", "off"]).default("off"),
  /** `off` counts nothing, and `GET /metrics` has nothing to tell. */
  COLLECT_METRICS: z.enum(["on", "off"]).default("on"),
  /** SHA-256 (hex) of the one-time code that makes the first administrator; empty when there is none to make. */
  ADMIN_CODE_HASH: z.string().default(""),
})

/** The deployment's variables, parsed once an isolate. */
export interface Settings {
  readonly development: boolean
  readonly secret: string
  readonly signingKeys: readonly z.infer<typeof jwk>[]
  readonly allowedOrigins: readonly string[]
  readonly rateLimited: boolean
  readonly readReplication: boolean
  /** Where there is no object to keep counters, none are made. */
  readonly metrics: boolean
  readonly adminCodeHash: string
}

/**
 * @throws {Problem} `misconfigured`, naming the variables (never their values).
 */
export function parseSettings(env: object): Settings {
  const parsed = variables.safeParse(env)
  if (!parsed.success) {
    const wrong = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`)
    throw new Problem("misconfigured", {
      detail: "Variables of the deployment are missing or wrong; the log names them.",
      cause: new Error(wrong.join("; ")),
    })
  }
  const { data } = parsed
  const development = data.ENVIRONMENT === "development"
  return {
    development,
    secret: data.SECRET,
    signingKeys: data.SIGNING_KEYS,
    allowedOrigins: data.ALLOWED_ORIGINS,
    rateLimited: (data.RATE_LIMIT ?? (development ? "off" : "on")) === "on",
    readReplication: data.READ_REPLICATION === "on",
    metrics: data.COLLECT_METRICS === "on" && "METRICS" in env,
    adminCodeHash: data.ADMIN_CODE_HASH,
  }
}
