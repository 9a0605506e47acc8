import { execFileSync } from "node:child_process"
import { globSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

/*
 * `npm run app:empty`: takes the film club out, with its data, page, tests and migrations, and leaves an app that is
 * empty and passes its tests. For whoever starts a product of their own.
 */

/** What belongs to the film club and to nothing else. */
const filmClub: readonly string[] = [
  "src/app/choices.ts",
  "src/app/films.ts",
  "src/app/reviews.ts",
  "src/app/screenings.ts",
  "src/app/watchlists.ts",
  "src/app/notices.ts",
  "src/app/digest.ts",
  "src/app/digest-mail.ts",
  "src/app/console-club.tsx",
  "src/app/film-arrivals.ts",
  "src/app/demo.ts",
  "src/app/exposure.txt",
  "src/app/queries.ts",
  "src/app/demo",
  "src/app/page.ts",
  "src/app/page",
  "test/app",
  "test/browser/page*",
  "migrations/*_app_*.sql",
]

/** What stays, without anything in it. */
const remains: Readonly<Record<string, string>> = {
  "src/app/collections.ts": `/** The collections of this deployment. A collection that is not listed here does not exist. */
export const collections = [] as const
`,
  "src/app/console.ts": `import type { OwnPage } from "../console/pages.ts"

/** Pages of this product in the console at /console/. */
export const pages: readonly OwnPage[] = []
`,
  "src/app/hooks.ts": `/** What other services may tell this deployment. */
export const hooks = [] as const
`,
  "src/app/images.ts": `/** Sizes of images, such as thumb: { width: 320, height: 320, fit: "cover" }, for GET /files/{id}?preset=thumb. */
export const imagePresets = {} as const
`,
  "src/app/jobs.ts": `/** What this deployment does later. A job that is not listed here does not run. */
export const jobs = [] as const

/** Jobs by the clock. */
export const schedules = [] as const

/** Kinds of mail that it sends, for http://127.0.0.1:8787/mail/preview. */
export const templates = [] as const
`,
  "src/app/routes.ts": `import { Hono } from "hono"
import type { OwnHttp } from "../core/records/reach.ts"

/** Routes of this deployment's own, beside those of its collections. */
export const routes = new Hono<OwnHttp>()

routes.get("/", (c) => c.redirect("/docs"))
`,
}

/** Answers the files and folders that it removed. */
export function emptyApp(root: string): string[] {
  const removed = filmClub.flatMap((pattern) => globSync(pattern, { cwd: root })).sort()
  for (const path of removed) rmSync(join(root, path), { recursive: true })
  for (const [path, text] of Object.entries(remains)) writeFileSync(join(root, path), text)
  return removed
}

/** Why nothing may be removed here: git could not bring it back. Null when it could. */
export function findUnsaved(root: string): string | null {
  try {
    const changes = execFileSync("git", ["status", "--porcelain"], { cwd: root, encoding: "utf8" })
    if (!changes) return null
    return `There are changes that git does not have yet: commit them first, or insist with npm run app:empty -- --force.\n${changes}`
  } catch {
    return "This is no git repository, so nothing could be brought back: make it one and commit, or insist with npm run app:empty -- --force."
  }
}

function main(): number {
  const { values } = parseArgs({ options: { force: { type: "boolean", default: false } } })
  const unsaved = values.force ? null : findUnsaved(".")
  if (unsaved) {
    console.error(unsaved)
    return 1
  }
  for (const path of emptyApp(".")) console.log(`removed ${path}`)
  console.log(`
The app is empty. Write a collection in src/app/, list it in src/app/collections.ts, then: npm run migrate:new <name>.
A local database (.wrangler/state, or STATE_DIR) that held the film club is to be deleted before the next npm run dev.`)
  return 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main()
