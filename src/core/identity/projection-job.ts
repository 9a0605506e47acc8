import * as z from "zod"
import type { Actor, App } from "../../platform/app.ts"
import { system } from "../../platform/app.ts"
import { describeError } from "../../platform/log.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { insertJobs, newJob } from "../jobs/enqueue.ts"
import { job } from "../jobs/job.ts"
import { personOf, selectMemberships, selectPerson } from "./person.ts"
import { commitPeople, commitPerson, type Projected } from "./projection.ts"

/**
 * Brings the projection of one person up in those databases, from the directory as it is now. Enqueued in the batch that
 * changes the directory, so that a crash between the two leaves nothing behind for longer than the job takes.
 */
const projectPerson = job("identity.project", {
  payload: z.object({ user: z.string(), databases: z.array(z.string()).max(100) }),
  priority: "high",
  async run({ app, payload: { user, databases } }) {
    const [found, memberships] = await app.directory.batch([
      selectPerson(sql`id = ${user}`),
      selectMemberships(sql`${user}`),
    ])
    const row = found?.[0]
    if (row) await commitPerson(app, system, [], personOf(row, memberships ?? []), databases)
  },
})

/** What identity does later. */
export const identityJobs = [projectPerson]

/**
 * `commitPeople`, for changes that must reach every database whatever happens: first the directory, with the job that
 * follows; then at once the other databases. What fails there is left to the job, because the change itself stands.
 */
export async function commitPeopleEverywhere(
  app: App,
  actor: Actor,
  writes: readonly Sql[],
  people: readonly Projected[],
): Promise<void> {
  const isFar = (name: string): boolean => app.on(name).db !== app.directory
  const split = people.map(({ person, databases }) => {
    const all = [...databases]
    return { person, near: all.filter((name) => !isFar(name)), far: all.filter(isFar) }
  })
  const far = split.filter((one) => one.far.length > 0)
  const later = far.map((one) =>
    newJob(projectPerson, { user: one.person.id, databases: one.far }, { delaySeconds: 1 }),
  )
  await commitPeople(
    app,
    actor,
    later.length > 0 ? [...writes, insertJobs(app, later)] : writes,
    split.map(({ person, near }) => ({ person, databases: near })),
  )
  if (far.length === 0) return
  app.on("directory").wake("jobs")
  try {
    await commitPeople(
      app,
      actor,
      [],
      far.map((one) => ({ person: one.person, databases: one.far })),
    )
  } catch (error) {
    app.log("warn", "projection left to its job", { error: describeError(error) })
  }
}
