import { expect, test } from "vitest"
import { call, type Person, signedIn } from "../../support/people.ts"

/* Against the whole worker: what a person's own records are, only the collections know. */

const make = async (as: Person, collection: string, body: object): Promise<string> => {
  const made = await call(as, "POST", `/records/${collection}`, body)
  const text = await made.text()
  expect(made.status, text).toBe(201)
  return (JSON.parse(text) as { id: string }).id
}

interface Line {
  type: string
  id?: string
  kind?: string
  collection?: string
  database?: string
  record?: { id: string }
}

const exported = async (as: Person): Promise<Line[]> => {
  const answer = await call(as, "GET", "/auth/me/export")
  expect(answer.status).toBe(200)
  expect(answer.headers.get("content-type")).toBe("application/x-ndjson")
  return new TextDecoder()
    .decode(await answer.arrayBuffer())
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line)
}

test("an export holds the person, their events, and each of their records once, and nothing of others", async () => {
  const ann = await signedIn("ann")
  const bob = await signedIn("bob")
  const diary = await make(ann, "diaries", { entry: "Dear diary" })
  const others = await make(bob, "diaries", { entry: "Not for Ann" })
  const lines = await exported(ann)
  expect(lines[0]).toMatchObject({ type: "user", id: ann.id, email: ann.email })
  expect(lines.filter(({ type }) => type === "event").map(({ kind }) => kind)).toEqual([
    "user.exported",
    "session.created",
    "user.created",
  ])
  const records = lines.filter(({ type }) => type === "record")
  expect(records).toContainEqual({
    type: "record",
    database: "main",
    collection: "diaries",
    record: expect.objectContaining({ id: diary, entry: "Dear diary" }),
  })
  const ids = records.map(({ collection, record }) => `${collection}/${record?.id}`)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids).toContain(`members/${ann.id}`)
  const text = JSON.stringify(lines)
  for (const secret of [others, bob.id, bob.email, "argon2", "hash"]) {
    expect(text).not.toContain(secret)
  }
})
