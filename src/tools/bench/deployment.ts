import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { schemaObjects } from "../../core/records/ddl.ts"
import { linkCollections } from "../../core/records/link.ts"
import { bundleWorker } from "../bundle.ts"
import { startBundles } from "../bundle-runtime.ts"
import { applyMigrations, listMigrations } from "../migrations.ts"
import { generatePassword, generateSecrets } from "../secrets.ts"
import { bareMember } from "./bare-member.ts"
import { benchCollections } from "./collections.ts"

/** Both sides of the comparison over the same tables, in one workerd. */
export interface BenchDeployment {
  /** The backend as in production. */
  readonly ours: string
  /** The same, telling what each request costs. */
  readonly probe: string
  /** One statement written by hand. */
  readonly bare: string
  readonly database: D1Database
  /** An access token for `ours` and `probe`. */
  signIn(): Promise<string>
  stop(): Promise<void>
}

/** Bundles, starts, and fills `articles` with `rows` rows. */
export async function startBench(rows: number): Promise<BenchDeployment> {
  const folder = await mkdtemp(join(tmpdir(), "bench-"))
  const [backend, bare] = await Promise.all([
    bundleWorker("src/tools/bench/worker.ts", join(folder, "backend")),
    bundleWorker("src/tools/bench/bare.ts", join(folder, "bare")),
  ])
  const variables = { ...generateSecrets(), RATE_LIMIT: "off" }
  const { urls, bindings, stop } = await startBundles(
    {
      ours: { bundle: backend, variables: { ...variables, ENVIRONMENT: "production" } },
      probe: { bundle: backend, variables: { ...variables, ENVIRONMENT: "development" } },
      bare: { bundle: bare, variables: {} },
    },
    { stateDirectory: join(folder, "state") },
  )
  const database = bindings.DB
  if (!database) throw new Error("wrangler.toml has no D1 binding DB.")
  await createTables(database)
  await fill(database, rows)
  const person = { email: "bench@example.com", password: generatePassword() }
  await post(`${urls.ours}/auth/users`, person)
  return {
    ...urls,
    database,
    signIn: () => signIn(urls.ours, person),
    async stop() {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The backend with all that goes on behind requests, or without. */
export interface Backend {
  readonly url: string
  readonly database: D1Database
  signIn(): Promise<string>
  stop(): Promise<void>
}

/** One backend in a workerd of its own, with `waiting` jobs that are not due for years. */
export async function startBackend(
  rows: number,
  {
    background,
    waiting,
    development = false,
  }: { background: boolean; waiting: number; development?: boolean },
): Promise<Backend> {
  const folder = await mkdtemp(join(tmpdir(), "bench-"))
  const bundle = await bundleWorker("src/tools/bench/worker.ts", join(folder, "backend"))
  const variables = {
    ...generateSecrets(),
    RATE_LIMIT: "off",
    COLLECT_METRICS: background ? "on" : "off",
    // Where receivers may be on this machine.
    ...(development && { ENVIRONMENT: "development" }),
  }
  const { urls, bindings, stop } = await startBundles(
    { backend: { bundle, variables } },
    { stateDirectory: join(folder, "state") },
  )
  const database = bindings.DB
  if (!database) throw new Error("wrangler.toml has no D1 binding DB.")
  await createTables(database)
  await fill(database, rows)
  await enqueue(database, waiting)
  const person = { email: "bench@example.com", password: generatePassword() }
  await post(`${urls.backend}/auth/users`, person)
  return {
    url: urls.backend,
    database,
    signIn: () => signIn(urls.backend, person),
    async stop() {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Past the engine, so that there are many of them quickly. */
async function enqueue(database: D1Database, jobs: number): Promise<void> {
  const at = new Date().toISOString()
  await database
    .prepare(
      `WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
INSERT INTO jobs (id, name, version, payload, priority, state, runAt, requestId, createdAt)
SELECT printf('01900000-0000-7000-8000-%012x', n), 'chore', 1, '{}', 1, 'waiting', '2199-01-01T00:00:00.000Z', 'bench', ?2
FROM n WHERE ?1 > 0`,
    )
    .bind(jobs, at)
    .run()
}

async function signIn(url: string, person: object): Promise<string> {
  const { accessToken } = await post(`${url}/auth/sessions`, person)
  return accessToken as string
}

async function createTables(database: D1Database): Promise<void> {
  const core = listMigrations().filter(({ name }) => name.includes("_core_"))
  await applyMigrations(database, core)
  const objects = schemaObjects(linkCollections(benchCollections).values())
  await database.batch(objects.map(({ sql }) => database.prepare(sql)))
  const at = new Date().toISOString()
  await database
    .prepare(
      "INSERT INTO members (id, version, createdAt, updatedAt, roles, epoch) VALUES (?1, 1, ?2, ?2, '[]', 1)",
    )
    .bind(bareMember, at)
    .run()
}

/** D1 gives a statement 30 s, here as there. */
const fillRows = 50_000

/** Nine articles of ten are published; a hundred categories; scores without order. */
async function fill(database: D1Database, rows: number): Promise<void> {
  for (let at = 0; at < rows; at += fillRows) {
    await database
      .prepare(
        `WITH RECURSIVE n (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?2)
INSERT INTO articles (id, version, createdAt, updatedAt, title, summary, category, published, score)
SELECT printf('01900000-0000-7000-8000-%012x', n), 1, ?3, ?3, 'Article ' || CAST(n AS INTEGER),
  'What article ' || CAST(n AS INTEGER) || ' is about, in a sentence or two, as long as summaries are.',
  'c' || CAST(n % 100 AS INTEGER), n % 10 <> 0, (n * 7919) % 1000003
FROM n`,
      )
      .bind(at, Math.min(at + fillRows, rows), new Date().toISOString())
      .run()
  }
  await database.prepare("PRAGMA optimize").run()
}

/** Twenty remarks on each of the first articles: one word that all have, and one that a thousandth has. */
export async function fillRemarks(database: D1Database, rows: number): Promise<void> {
  for (let at = 0; at < rows; at += fillRows) {
    await database
      .prepare(
        `WITH RECURSIVE n (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?2)
INSERT INTO remarks (id, version, createdAt, updatedAt, article, text)
SELECT printf('01910000-0000-7000-8000-%012x', n), 1, ?3, ?3,
  printf('01900000-0000-7000-8000-%012x', n / 20), 'A remark with word' || CAST(n % 1000 AS INTEGER)
FROM n`,
      )
      .bind(at, Math.min(at + fillRows, rows), new Date().toISOString())
      .run()
  }
}

async function post(url: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${url} answered ${response.status} ${await response.text()}`)
  return (await response.json()) as Record<string, unknown>
}
