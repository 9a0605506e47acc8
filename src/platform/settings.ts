import * as z from "zod"
import { isLoopback } from "./cors.ts"
import { type IdentityProvider, identityProviders } from "./identity-provider-settings.ts"
import { Problem } from "./problem.ts"

const jwk = z.object({
  kid: z.string().min(1),
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string(),
  d: z.string(),
})

/** Text that holds JSON. */
const json = z.string().transform((text, context) => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    context.addIssue({ code: "custom", message: "is not JSON" })
    return z.NEVER
  }
})

/** `Name <address>`, or the address alone; a name may stand in quotation marks. */
const sender = z
  .string()
  .regex(
    /^(?:[^<>"\p{Cc}]*<|"[^<>"\\\p{Cc}]*" *<|)[^\s@<>"\p{Cc}]+@[^\s@<>"\p{Cc}]+>?$/u,
    "is not of the form Name <address>",
  )
  .transform((text) => {
    const [, name = "", bracketed] = /^"?([^"<]*)"?\s*<(.*)>$/.exec(text) ?? []
    return { name: name.trim() || null, email: bracketed ?? text }
  })

/** `smtps://user:password@host:465`: user and password are percent-encoded there. */
const smtpServer = z.url({ protocol: /^smtps?$/ }).transform((text, context): SmtpServer => {
  const { protocol, hostname, port, username, password } = new URL(text)
  const secure = protocol === "smtps:"
  try {
    const user = decodeURIComponent(username)
    return {
      host: hostname,
      port: port === "" ? (secure ? 465 : 587) : Number(port),
      secure,
      credentials: user === "" ? null : { user, password: decodeURIComponent(password) },
    }
  } catch {
    const message = "user and password have to be percent-encoded: % as %25, @ as %40"
    context.addIssue({ code: "custom", message })
    return z.NEVER
  }
})

const bytes = z.coerce.number().int().positive()

/** Text of values that are separated by commas. */
const listed = z
  .string()
  .default("")
  .transform((text) =>
    text
      .split(",")
      .map((value) => value.trim())
      .filter(Boolean),
  )

const variables = z.object({
  /** `development` opens CORS to loopback origins and shows Server-Timing. */
  ENVIRONMENT: z.enum(["development", "production"]).default("production"),
  /** 32 random bytes or more, in any encoding: signs bookmarks. */
  SECRET: z.string().min(32),
  /** A secret: what SECRET was before. Links to files that were signed with it are good until they end. */
  FORMER_SECRET: z.string().min(32).optional(),
  /** Of one file that is sent in one request. */
  FILE_MAX_BYTES: bytes.default(95_000_000),
  /** Of one that is sent in several (tus): no more than R2 takes in 10,000 parts. */
  FILE_MAX_BYTES_RESUMABLE: bytes.max(80_000_000_000).default(2_000_000_000),
  /** Of all files of one person, and of one organisation, in each database. */
  FILE_QUOTA_PERSON: bytes.default(5_000_000_000),
  FILE_QUOTA_ORGANISATION: bytes.default(100_000_000_000),
  /** How many one person may have, in each database: those without a byte cost, too. */
  FILE_COUNT_PERSON: z.coerce.number().int().positive().default(100_000),
  /** How long files are kept that records have let go of: as long as these may want them back. */
  FILE_RETENTION_DAYS: z.coerce.number().int().min(1).max(36_500).default(30),
  /** Who looks for malware in files: nobody, what knows the test file of EICAR alone, a service at FILE_SCANNER_URL. */
  FILE_SCANNER: z.enum(["off", "eicar", "http"]).default("off"),
  /** Takes content as a body, and answers 200 for what is clean, 406 for what is infected. FILE_SCANNER_TOKEN is its secret. */
  FILE_SCANNER_URL: z.url({ protocol: /^https?$/ }).optional(),
  /**
   * For files that are put at R2 without passing through the Worker: the account, the bucket that BLOBS is, and the secrets
   * R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY of a token that may write its objects. All of them, or none.
   */
  R2_ACCOUNT_ID: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  R2_BUCKET: z
    .string()
    .regex(/^[a-z0-9-]{3,63}$/)
    .optional(),
  R2_ACCESS_KEY_ID: z
    .string()
    .regex(/^[!-~]+$/)
    .optional(),
  R2_SECRET_ACCESS_KEY: z
    .string()
    .regex(/^[!-~]+$/)
    .optional(),
  /** Where that account's R2 is, in a jurisdiction: `eu` or `fedramp`. */
  R2_JURISDICTION: z.enum(["eu", "fedramp"]).optional(),
  /** What has not been looked at yet is `held`, or `readable`. */
  FILE_SCAN_PENDING: z.enum(["held", "readable"]).default("held"),
  /** Images that are made in a day of one person's files, in each database: each costs. */
  FILE_IMAGES_PERSON: z.coerce.number().int().min(0).default(10_000),
  /** Endpoints of webhooks in each database: what one batch of the log may have to be queued for. */
  WEBHOOK_ENDPOINTS: z.coerce.number().int().positive().default(1_000),
  /** JSON array of private Ed25519 JWKs with `kid`; the first one signs, all of them verify. */
  SIGNING_KEYS: json.pipe(z.array(jwk).min(1)),
  /**
   * A secret: JSON object of secrets that go into the hashes of passwords, by version, as in `{"1": "…", "2": "…"}`. The
   * highest is used for new hashes; an old one may go when no hash has it any more.
   */
  PASSWORD_PEPPERS: json
    .pipe(z.record(z.string().regex(/^[1-9]\d{0,5}$/), z.string().min(32)))
    .default({}),
  /** Origins that browsers may call from, separated by commas. The deployment's own origin always may. */
  ALLOWED_ORIGINS: listed,
  /** `on` counts requests per key and address; `off` for benchmarks and for private networks. */
  RATE_LIMIT: z.enum(["on", "off"]).optional(),
  /** `on` where read replication is switched on for the databases: reads may then go to the nearest replica. */
  READ_REPLICATION: z.enum(["on", "off"]).default("off"),
  /** In development, `off` refuses addresses on this machine for webhooks and calls to other services, as production does. */
  LOOPBACK_CALLS: z.enum(["on", "off"]).default("on"),
  /** `off` counts nothing, and `GET /metrics` has nothing to tell. */
  COLLECT_METRICS: z.enum(["on", "off"]).default("on"),
  /** `on`: whoever has not confirmed their e-mail address does not sign in with the password. */
  REQUIRE_VERIFIED_EMAIL: z.enum(["on", "off"]).default("off"),
  /** `on`: anybody may begin with a session and no account, and make one of it later. */
  ANONYMOUS_SESSIONS: z.enum(["on", "off"]).default("off"),
  /** A secret: who else may say who somebody is (identity-provider-settings.ts). */
  IDENTITY_PROVIDERS: json.pipe(identityProviders).default([]),
  /** SHA-256 (hex) of the one-time code that makes the first administrator; empty when there is none to make. */
  ADMIN_CODE_HASH: z.string().default(""),
  /** The database of organisations whose maker chose none: `main`, or the lower-case name of a binding `DB_<NAME>`. */
  ORGANISATION_DATABASE: z.string().default("main"),
  /** A secret: with it, strangers have to show that they are no programs, by Cloudflare Turnstile. */
  TURNSTILE_SECRET: z.string().min(1).optional(),
  /** What a page needs to show the widget; told to whoever lacks its answer. */
  TURNSTILE_SITE_KEY: z.string().min(1).optional(),
  TURNSTILE_URL: z
    .url({ protocol: /^https?$/ })
    .default("https://challenges.cloudflare.com/turnstile/v0/siteverify"),
  /** Host names of the pages that show the widget, separated by commas; that of PUBLIC_URL, unless told. */
  TURNSTILE_HOSTNAMES: listed,
  /** When a password is asked for together with it: each time, after a few wrong ones, never. */
  TURNSTILE_SIGN_IN: z.enum(["always", "after-failures", "never"]).default("after-failures"),
  /** Where this deployment is reached, for links in mails: `https://app.example.com`. */
  PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .transform((text) => new URL(text).origin)
    .optional(),
  /** How mail leaves: not at all, through the binding EMAIL, through a server, through Resend. */
  MAIL_DRIVER: z.enum(["outbox", "binding", "smtp", "resend"]).default("outbox"),
  MAIL_FROM: sender.optional(),
  /** The binding that `binding` sends through. */
  EMAIL: z.unknown().optional(),
  /** A secret: `smtps://user:password@host:465`, or `smtp://…:587`, which turns to TLS before it says anything. */
  SMTP_URL: smtpServer.optional(),
  /** A secret. */
  RESEND_API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]+$/, "is not a key")
    .optional(),
  RESEND_URL: z.url({ protocol: /^https?$/ }).default("https://api.resend.com"),
  /** A secret, `whsec_…`: with it `POST /mail/events/resend` takes bounces and complaints. */
  RESEND_WEBHOOK_SECRET: z.string().startsWith("whsec_").optional(),
})

/** What each way of sending needs beside itself. */
const neededBy = {
  outbox: [],
  binding: ["MAIL_FROM", "EMAIL"],
  smtp: ["MAIL_FROM", "SMTP_URL"],
  resend: ["MAIL_FROM", "RESEND_API_KEY"],
} as const

type Variables = z.output<typeof variables>

const hostnamesOf = ({ TURNSTILE_HOSTNAMES, PUBLIC_URL }: Variables): readonly string[] =>
  TURNSTILE_HOSTNAMES.length > 0 || PUBLIC_URL === undefined
    ? TURNSTILE_HOSTNAMES
    : [new URL(PUBLIC_URL).hostname]

const captchaOf = (data: Variables): CaptchaSettings | null =>
  data.TURNSTILE_SECRET === undefined
    ? null
    : {
        secret: data.TURNSTILE_SECRET,
        siteKey: data.TURNSTILE_SITE_KEY ?? null,
        url: data.TURNSTILE_URL,
        hostnames: hostnamesOf(data),
        signIn: data.TURNSTILE_SIGN_IN,
      }

const directNames = [
  "R2_ACCOUNT_ID",
  "R2_BUCKET",
  "R2_ACCESS_KEY_ID",
  "R2_SECRET_ACCESS_KEY",
] as const

function directOf(data: Variables): FileSettings["direct"] {
  const { R2_ACCOUNT_ID, R2_BUCKET, R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY, R2_JURISDICTION } = data
  if (!R2_ACCOUNT_ID || !R2_BUCKET || !R2_ACCESS_KEY_ID || !R2_SECRET_ACCESS_KEY) return null
  const jurisdiction = R2_JURISDICTION === undefined ? "" : `.${R2_JURISDICTION}`
  return {
    endpoint: `https://${R2_ACCOUNT_ID}${jurisdiction}.r2.cloudflarestorage.com`,
    bucket: R2_BUCKET,
    accessKeyId: R2_ACCESS_KEY_ID,
    secretAccessKey: R2_SECRET_ACCESS_KEY,
  }
}

const checkedVariables = variables.superRefine((given, context) => {
  for (const name of neededBy[given.MAIL_DRIVER]) {
    if (given[name] !== undefined) continue
    const message = `is needed, because MAIL_DRIVER is ${given.MAIL_DRIVER}`
    context.addIssue({ code: "custom", path: [name], message })
  }
  const direct = directNames.filter((name) => given[name] === undefined)
  if (direct.length > 0 && direct.length < directNames.length) {
    for (const name of direct) {
      const message = "is needed, because others for files directly at R2 are set"
      context.addIssue({ code: "custom", path: [name], message })
    }
  }
  if (given.FILE_SCANNER === "http" && given.FILE_SCANNER_URL === undefined) {
    const message = "is needed, because FILE_SCANNER is http"
    context.addIssue({ code: "custom", path: ["FILE_SCANNER_URL"], message })
  }
  if (given.TURNSTILE_SECRET !== undefined && hostnamesOf(given).length === 0) {
    const message = "is needed, because TURNSTILE_SECRET is set and PUBLIC_URL is not"
    context.addIssue({ code: "custom", path: ["TURNSTILE_HOSTNAMES"], message })
  }
  given.IDENTITY_PROVIDERS.forEach((provider, i) => {
    if (provider.kind !== "oidc" || provider.issuer.startsWith("https:")) return
    // What it says is believed: on the way it could be anybody's.
    if (given.ENVIRONMENT === "development" && isLoopback(provider.issuer)) return
    const message = "has to be https; in development, http on this machine will do"
    context.addIssue({ code: "custom", path: ["IDENTITY_PROVIDERS", i, "issuer"], message })
  })
  if (
    given.IDENTITY_PROVIDERS.length > 0 &&
    !given.PUBLIC_URL &&
    given.ENVIRONMENT !== "development"
  ) {
    const message = "is needed, because providers send people back to it"
    context.addIssue({ code: "custom", path: ["PUBLIC_URL"], message })
  }
})

/** How strangers show that they are no programs. */
export interface CaptchaSettings {
  readonly secret: string
  readonly siteKey: string | null
  readonly url: string
  readonly hostnames: readonly string[]
  readonly signIn: z.output<typeof variables>["TURNSTILE_SIGN_IN"]
}

/** A secret that goes into the hashes of passwords, and that the database does not know. */
export interface Pepper {
  readonly version: number
  readonly secret: string
}

/** The deployment's variables, parsed once an isolate. */
export interface Settings {
  readonly development: boolean
  readonly secret: string
  readonly formerSecret: string | null
  readonly files: FileSettings
  /** Endpoints of webhooks in each database, at most. */
  readonly webhookEndpoints: number
  readonly signingKeys: readonly z.infer<typeof jwk>[]
  /** The newest first; none where the deployment has none. */
  readonly passwordPeppers: readonly Pepper[]
  readonly allowedOrigins: readonly string[]
  readonly rateLimited: boolean
  readonly readReplication: boolean
  /** Whether what others name as their address may be on this machine: in development alone. */
  readonly loopbackCalls: boolean
  /** Where there is no object to keep counters, none are made. */
  readonly metrics: boolean
  readonly requireVerifiedEmail: boolean
  readonly anonymousSessions: boolean
  readonly identityProviders: readonly IdentityProvider[]
  readonly adminCodeHash: string
  /** Name of the database in which organisations are placed. */
  readonly organisationDatabase: string
  /** Origin of links in mails; null where the deployment does not say it. */
  readonly publicUrl: string | null
  /** Null where nobody has to show that they are no program. */
  readonly captcha: CaptchaSettings | null
  readonly mail: MailSettings
  /**
   * A secret of the product's own, by the name of its variable; null where it is not set. Asked for when it is used, and
   * neither kept nor shown.
   */
  secretNamed(name: string): string | null
}

export interface FileSettings {
  /** In bytes, as the quotas are. */
  readonly maxBytes: number
  readonly maxBytesResumable: number
  readonly quotaOfPerson: number
  readonly quotaOfOrganisation: number
  /** How many files. */
  readonly countOfPerson: number
  /** Of what records have let go of. */
  readonly retentionDays: number
  readonly scanner: {
    readonly driver: Variables["FILE_SCANNER"]
    /** Always there where the driver is `http`. */
    readonly url: string | null
  }
  /** Null where all files pass through the Worker. */
  readonly direct: {
    /** Without a slash at its end. */
    readonly endpoint: string
    readonly bucket: string
    readonly accessKeyId: string
    readonly secretAccessKey: string
  } | null
  /** Whether nobody reads what is still to be scanned. */
  readonly heldUntilScanned: boolean
  /** How many are made in a day. */
  readonly imagesOfPerson: number
}

export interface SmtpServer {
  readonly host: string
  readonly port: number
  /** TLS from the first byte; else STARTTLS. */
  readonly secure: boolean
  /** Null for a server that asks for none. */
  readonly credentials: { readonly user: string; readonly password: string } | null
}

export interface MailSettings {
  readonly driver: z.output<typeof variables>["MAIL_DRIVER"]
  /** Always there unless the driver is `outbox`. */
  readonly from: z.output<typeof sender> | null
  readonly smtp: SmtpServer | null
  readonly resendApiKey: string | null
  readonly resendUrl: string
  readonly resendWebhookSecret: string | null
}

/**
 * @throws {Problem} `misconfigured`, naming the variables (never their values).
 */
export function parseSettings(env: object): Settings {
  const parsed = checkedVariables.safeParse(env)
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
    formerSecret: data.FORMER_SECRET ?? null,
    files: {
      maxBytes: data.FILE_MAX_BYTES,
      maxBytesResumable: data.FILE_MAX_BYTES_RESUMABLE,
      quotaOfPerson: data.FILE_QUOTA_PERSON,
      quotaOfOrganisation: data.FILE_QUOTA_ORGANISATION,
      countOfPerson: data.FILE_COUNT_PERSON,
      retentionDays: data.FILE_RETENTION_DAYS,
      scanner: { driver: data.FILE_SCANNER, url: data.FILE_SCANNER_URL ?? null },
      direct: directOf(data),
      heldUntilScanned: data.FILE_SCAN_PENDING === "held",
      imagesOfPerson: data.FILE_IMAGES_PERSON,
    },
    webhookEndpoints: data.WEBHOOK_ENDPOINTS,
    signingKeys: data.SIGNING_KEYS,
    passwordPeppers: Object.entries(data.PASSWORD_PEPPERS)
      .map(([version, secret]) => ({ version: Number(version), secret }))
      .sort((a, b) => b.version - a.version),
    allowedOrigins: data.ALLOWED_ORIGINS,
    rateLimited: (data.RATE_LIMIT ?? (development ? "off" : "on")) === "on",
    readReplication: data.READ_REPLICATION === "on",
    loopbackCalls: development && data.LOOPBACK_CALLS === "on",
    metrics: data.COLLECT_METRICS === "on" && "METRICS" in env,
    requireVerifiedEmail: data.REQUIRE_VERIFIED_EMAIL === "on",
    anonymousSessions: data.ANONYMOUS_SESSIONS === "on",
    identityProviders: data.IDENTITY_PROVIDERS,
    adminCodeHash: data.ADMIN_CODE_HASH,
    organisationDatabase: data.ORGANISATION_DATABASE,
    publicUrl: data.PUBLIC_URL ?? (development ? "http://127.0.0.1:8787" : null),
    captcha: captchaOf(data),
    mail: {
      driver: data.MAIL_DRIVER,
      from: data.MAIL_FROM ?? null,
      smtp: data.SMTP_URL ?? null,
      resendApiKey: data.RESEND_API_KEY ?? null,
      resendUrl: data.RESEND_URL.replace(/\/$/, ""),
      resendWebhookSecret: data.RESEND_WEBHOOK_SECRET ?? null,
    },
    secretNamed(name) {
      const value = Object.hasOwn(env, name) ? (env as Record<string, unknown>)[name] : undefined
      return typeof value === "string" && value !== "" ? value : null
    },
  }
}
