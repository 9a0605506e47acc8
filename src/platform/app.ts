import { type Blobs, openBlobs } from "./blobs.ts"
import { type Bucket, openBucket } from "./bucket.ts"
import { type Cost, type Database, openDatabase } from "./database.ts"
import { uuidv7 } from "./ids.ts"
import { type Images, openImages } from "./images.ts"
import { createLog, type Log } from "./log.ts"
import { type Count, countEvent } from "./metrics.ts"
import { scheduleFlush } from "./metrics-flush.ts"
import { Problem } from "./problem.ts"
import type { Settings } from "./settings.ts"
import { beginToFollow, type Follower, heard, isUnfollowed, poke, pokeLater } from "./wake.ts"

/**
 * What code may touch, for the length of one request (or job). A plain argument: a function without it has no reach.
 */
export interface App {
  /** People, credentials, organisations. */
  readonly directory: Database
  /** Collections, the change log, the `members` projection: the database of the actor's organisation. */
  readonly db: Database
  readonly settings: Settings
  readonly cost: Cost
  readonly log: Log
  readonly requestId: string
  /** Milliseconds since the epoch. */
  now(): number
  /** A UUIDv7. */
  newId(): string
  /** Work that outlives the response, 30 s at most. */
  waitUntil(work: Promise<unknown>): void
  /** After a commit to `db`, without making the caller wait: what follows it may start. */
  wake(follower: Follower): void
  /** The same for the log's reader where no listener in code waits for it, but somebody else may. */
  wakeFollowers(): void
  /** The same at once, and waited for. Throws when it could not be told. */
  wakeNow(follower: Follower): Promise<void>
  /** Said when somebody begins to follow the log of `db`. */
  followed(): Promise<void>
  /** Names of all databases, that of people too where it is one of its own. */
  readonly databases: readonly string[]
  /** Up to which line of `db`'s log its listeners have heard it. */
  heard(): Promise<number>
  /** Where lines of the log go when they leave `db`; null in a deployment without such a bucket. */
  readonly archive: Bucket | null
  /** The content of files. */
  readonly blobs: Blobs
  /** What makes images of images. */
  readonly images: Images
  /** The Durable Object of that name behind a binding, whose methods its caller knows. */
  object<Methods>(binding: string, name: string): Methods
  /** Counts something for administrators to see (`GET /metrics`). Writes nothing, and waits for nothing. */
  count: Count
  /** The same app on another database. */
  on(database: string): App
  /** Signed bookmarks of the databases used so far, for the caller's next request; null when none was. */
  bookmarks(): Promise<string | null>
}

/** For whom code acts. `system` passes every rule, and shows in a signature where that happens. */
export type Actor =
  | { readonly kind: "anonymous" }
  | {
      readonly kind: "system"
      /** Set when the system acts within one organisation. */
      readonly organisation?: string | null
    }
  | UserActor

export interface UserActor {
  readonly kind: "user"
  readonly id: string
  readonly email: string
  readonly roles: readonly string[]
  readonly organisation: string | null
  /** Name of the database that holds the organisation's records. */
  readonly database: string
  /** Rises with every change of roles, password or status: a token with another epoch is outdated. */
  readonly epoch: number
  readonly session: string
  /** How they proved who they are (RFC 8176): `pwd`, `otp`, `hwk`, `mail`, `fed`, … */
  readonly methods: readonly string[]
  /** When they last did, in milliseconds since the epoch. */
  readonly authenticatedAt: number
  /** Id of the administrator who acts in their name. */
  readonly impersonator: string | null
  /** True of whoever has neither address nor password yet: nothing but this session says who they are. */
  readonly anonymous?: boolean
  /** Set where a program speaks for them, with a key: then `session` is the key's id, and nothing was proved. */
  readonly key?: ActingKey
}

/** The API key that a request came with. */
export interface ActingKey {
  readonly id: string
  /** SHA-256 (hex) of its text, as it is stored. */
  readonly hash: string
  /** What of its holder's rights it has: `<collection or *>:<action or *>`. */
  readonly scopes: readonly string[]
  /** Whether its holder is a service account, and no person. */
  readonly service: boolean
}

export const system: Actor = { kind: "system" }
export const anonymous: Actor = { kind: "anonymous" }

/** The role that administers the whole deployment. */
export const administratorRole = "administrator"

/** True for whoever has that role, and for their keys: what those may is then for their scopes to say. */
export const hasAdministratorRole = (actor: Actor): actor is UserActor =>
  actor.kind === "user" && actor.roles.includes(administratorRole)

/** No key administers a deployment, whoever its holder is. */
export const isAdministrator = (actor: Actor): boolean =>
  hasAdministratorRole(actor) && actor.key === undefined

interface AppOptions {
  env: object
  settings: Settings
  requestId: string
  /** Database of the actor; `main` for everyone without an organisation. */
  database: string
  bookmark: string | null
  /** Read from the primary, for work that must not miss what was just committed. */
  primary?: boolean
  waitUntil: (work: Promise<unknown>) => void
  now?: () => number
  /** False for whoever sends what is counted itself, because nobody may wait for a timer of its. */
  flushesCounts?: boolean
}

export function createApp(options: AppOptions): App {
  const { env, settings, requestId, bookmark, waitUntil } = options
  const now = options.now ?? Date.now
  const cost: Cost = { trips: 0, rowsRead: 0, rowsWritten: 0, milliseconds: 0 }
  const opened = new Map<string, Database>()
  const open = (asked: string): Database => {
    // Where people and records share one D1, they share one session too, so that each reads the other's writes.
    const name = asked === "directory" && !("DIRECTORY" in env) ? "main" : asked
    const known = opened.get(name)
    if (known) return known
    const database = openDatabase({
      name,
      binding: findBinding(env, name),
      cost,
      secret: settings.secret,
      presented: bookmark,
      primary: options.primary ?? false,
      replicated: settings.readReplication,
    })
    opened.set(name, database)
    return database
  }
  const log = createLog(requestId)
  const app = (database: string): App => ({
    get directory() {
      return open("directory")
    },
    get db() {
      return open(database)
    },
    settings,
    cost,
    log,
    requestId,
    now,
    newId: () => uuidv7(now()),
    waitUntil,
    wake(follower) {
      waitUntil(pokeLater(env, follower, open(database).name, log))
    },
    wakeFollowers() {
      const { name } = open(database)
      if (!isUnfollowed(name)) waitUntil(pokeLater(env, "changes", name, log))
    },
    wakeNow: (follower) => poke(env, follower, open(database).name),
    followed: () => beginToFollow(env, open(database).name, log),
    heard: () => heard(env, open(database).name),
    get archive() {
      return openBucket(env, "ARCHIVE")
    },
    get blobs() {
      return openBlobs(env, "BLOBS")
    },
    get images() {
      return openImages(env, "IMAGES")
    },
    object: <Methods>(binding: string, name: string) => openObject<Methods>(env, binding, name),
    count(counter, labels) {
      if (!settings.metrics) return
      countEvent(now(), counter, labels)
      if (options.flushesCounts !== false) scheduleFlush(env, waitUntil)
    },
    get databases() {
      return allDatabaseNames(env)
    },
    on: app,
    async bookmarks() {
      const bookmarks = await Promise.all(
        [...opened.values()].map((database) => database.bookmark()),
      )
      return bookmarks.filter((bookmark) => bookmark !== null).join(" ") || null
    },
  })
  return app(options.database)
}

/** Names of all databases that hold records: `main` and one for each binding `DB_<NAME>`. */
export const databaseNames = (env: object): string[] =>
  Object.keys(env)
    .filter((key) => key === "DB" || key.startsWith("DB_"))
    .map((key) => (key === "DB" ? "main" : key.slice(3).toLowerCase()))

/** The directory among them, where people have a database of their own. */
export const allDatabaseNames = (env: object): string[] => [
  ...databaseNames(env),
  ...("DIRECTORY" in env ? ["directory"] : []),
]

function openObject<Methods>(env: object, binding: string, name: string): Methods {
  const namespace = (env as Record<string, DurableObjectNamespace | undefined>)[binding]
  if (!namespace) {
    throw new Problem("misconfigured", { cause: new Error(`no Durable Object binding ${binding}`) })
  }
  return namespace.get(namespace.idFromName(name)) as unknown as Methods
}

function findBinding(env: object, name: string): D1Database {
  const bindings = env as Record<string, D1Database | undefined>
  const binding =
    name === "directory"
      ? bindings.DIRECTORY
      : name === "main"
        ? bindings.DB
        : bindings[`DB_${name.toUpperCase()}`]
  if (!binding) {
    throw new Problem("misconfigured", { cause: new Error(`no D1 binding for database "${name}"`) })
  }
  return binding
}
