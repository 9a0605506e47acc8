import type { App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { sql } from "../../platform/sql.ts"

/*
 * Who may have an image made: each one costs, whatever comes of it.
 */

/** How often one variant is tried, while nothing comes of it. */
const maxAttempts = 20
const attemptsForgottenAfter = 10 * 60_000

/** In which it may still be under way for whoever asked before. */
const underWay = 10_000

const aDay = 24 * 3_600_000

/** What is wrong with an image may have been what was wrong with who read it. */
const failureForgottenAfter = aDay

/**
 * The row that says that something may come to lie in R2, of a file that is there. One trip. Triggers count it for its
 * owner's day.
 *
 * @throws {Problem} `not_found`, `unsupported_image` of what failed, `rate_limited` of what was tried too often, and beyond
 * what may be made in a day
 */
export async function claim(app: App, file: string, name: string): Promise<void> {
  const now = app.now()
  const { imagesOfPerson } = app.settings.files
  const [day, quiet] = [dayOf(now), at(now - attemptsForgottenAfter)]
  const [claimed, variants, files] = await app.db.batch([
    sql`INSERT INTO file_variants (file, name, attempts, begunAt) SELECT id, ${name}, 1, ${at(now)} FROM files WHERE id = ${file} AND state = 'stored' AND ifnull((SELECT made FROM images_made m WHERE m.owner = files.owner AND m.day = ${day}), 0) < ${imagesOfPerson} ON CONFLICT (file, name) DO UPDATE SET attempts = iif(begunAt < ${quiet}, 1, attempts + 1), begunAt = excluded.begunAt, failedAt = NULL WHERE ifnull(failedAt, '') < ${at(now - failureForgottenAfter)} AND (attempts < ${maxAttempts} OR begunAt < ${quiet}) RETURNING attempts`,
    sql`SELECT failedAt, begunAt FROM file_variants WHERE file = ${file} AND name = ${name}`,
    sql`SELECT ifnull((SELECT made FROM images_made m WHERE m.owner = files.owner AND m.day = ${day}), 0) AS made FROM files WHERE id = ${file} AND state = 'stored'`,
  ])
  if (claimed?.length) return
  const [variant, known] = [variants?.[0], files?.[0]]
  if (!known) throw new Problem("not_found")
  if (variant?.failedAt) throw broken()
  if ((known.made as number) >= imagesOfPerson) {
    const tomorrow = Math.ceil((aDay - (now % aDay)) / 1_000)
    throw later(`Of one person's files ${imagesOfPerson} images are made in a day.`, tomorrow)
  }
  const isNew = ((variant?.begunAt ?? "") as string) > at(now - underWay)
  throw later(
    "Many have asked for this image, and it is not made yet: wait before you ask again.",
    isNew ? 2 : attemptsForgottenAfter / 1_000,
  )
}

/** Of an image that nobody can decode: what is to be thrown. One trip. */
export async function fail(app: App, file: string, name: string): Promise<Problem> {
  await app.db.all(
    sql`UPDATE file_variants SET failedAt = ${at(app.now())} WHERE file = ${file} AND name = ${name}`,
  )
  return broken()
}

const broken = (): Problem =>
  new Problem("unsupported_image", "It is broken, or larger than it says.")

const later = (detail: string, seconds: number): Problem =>
  new Problem("rate_limited", { detail, headers: { "retry-after": String(seconds) } })

const at = (milliseconds: number): string => new Date(milliseconds).toISOString()

/** In UTC. */
export const dayOf = (milliseconds: number): string => at(milliseconds).slice(0, 10)
