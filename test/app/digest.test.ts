import { env } from "cloudflare:workers"
import { beforeAll, expect, test } from "vitest"
import { eventually } from "../support/eventually.ts"
import { call, type Person, signedIn } from "../support/people.ts"

let alice: Person
let bob: Person
let administrator: Person

interface Mail {
  readonly id: string
  readonly recipient: string
  readonly subject: string
  readonly text: string
  readonly html: string
  readonly state: string
}

beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  administrator = await signedIn("ada", ["administrator"])
})

async function run(): Promise<void> {
  const made = await call(administrator, "POST", "/jobs/schedules/digest/runs")
  const { id } = (await made.json()) as { id: string }
  await eventually(async () => {
    const job = await (await call(administrator, "GET", `/jobs/${id}`)).json()
    expect(job).toMatchObject({ state: "succeeded" })
  })
}

async function mails(): Promise<Mail[]> {
  const list = await call(administrator, "GET", "/mails?template=digest")
  const { items } = (await list.json()) as { items: Mail[] }
  return Promise.all(
    items.map(async ({ id }) => (await call(administrator, "GET", `/mails/${id}`)).json<Mail>()),
  )
}

test("the week's reviews go to those who asked for them, in their language; without any, nothing goes", async () => {
  const asked = await call(alice, "POST", "/records/digestReaders", { language: "de" })
  expect(asked.status).toBe(201)
  await run()
  expect(await mails()).toEqual([])

  const film = await call(administrator, "POST", "/records/films", { title: "<b>Metropolis</b>" })
  const { id } = (await film.json()) as { id: string }
  const review = await call(bob, "POST", "/records/reviews", { film: id, stars: 5 })
  expect(review.status).toBe(201)
  await run()
  await eventually(async () => expect((await mails())[0]?.state).toBe("sent"))
  const [mail, ...others] = await mails()
  expect(others).toEqual([])
  expect(mail).toMatchObject({ recipient: alice.id, subject: "Neues aus dem Filmklub" })
  expect(mail?.text).toContain("<b>Metropolis</b>: ★★★★★ (bob)")
  expect(mail?.html).toContain("&lt;b&gt;Metropolis&lt;/b&gt;: ★★★★★ (bob)")
})

test("who unsubscribed and asks for the digest anew gets it again", async () => {
  const [own] = (
    await (await call(bob, "GET", "/records/digestReaders")).json<{ items: { id: string }[] }>()
  ).items
  expect(own).toBeUndefined()
  const listed = async () => {
    const list = await call(administrator, "GET", `/mails/suppressions?address=${bob.email}`)
    return (await list.json<{ items: { reason: string }[] }>()).items.map(({ reason }) => reason)
  }
  const suppress = (reason: string, list: string) =>
    env.DB.prepare(
      "INSERT INTO mail_suppressions (id, address, list, reason, createdAt) VALUES (?1, ?2, ?3, ?4, '2026-01-01T00:00:00.000Z')",
    )
      .bind(crypto.randomUUID(), bob.email, list, reason)
      .run()
  await suppress("unsubscribed", "Film Club")
  await suppress("unsubscribed", "Another")
  expect(await listed()).toHaveLength(2)
  const asked = await call(bob, "POST", "/records/digestReaders", {})
  expect(asked.status).toBe(201)
  await eventually(async () => expect(await listed()).toHaveLength(1))
  // To want it is not to have changed one's language, which lifts nothing.
  await suppress("unsubscribed", "Film Club")
  const { id } = (await asked.json()) as { id: string }
  await call(bob, "PATCH", `/records/digestReaders/${id}`, { language: "de" })
  expect((await call(bob, "DELETE", `/records/digestReaders/${id}`)).status).toBe(204)
  expect(await listed()).toHaveLength(2)
})

test("a week's digest that is tried again reaches nobody twice", async () => {
  const before = (await mails()).length
  // As when the process died after the mails were written, and before the job had ended.
  await env.DB.prepare(
    "UPDATE jobs SET state = 'waiting', finishedAt = NULL, runAt = '2000-01-01T00:00:00.000Z' WHERE name = 'digest'",
  ).run()
  await env.JOB_DISPATCHER.get(env.JOB_DISPATCHER.idFromName("main")).poke("main")
  await eventually(async () => {
    const left = await env.DB.prepare(
      "SELECT count(*) AS n FROM jobs WHERE name = 'digest' AND state <> 'succeeded'",
    ).first("n")
    expect(left).toBe(0)
  })
  // The first run is about a stretch without reviews, still; the second has sent already.
  expect((await mails()).length).toBe(before)
})
