import { expect, test } from "vitest"
import { collection } from "../../../src/core/records/collection.ts"
import { expression, relation, text } from "../../../src/core/records/fields.ts"
import { Problem } from "../../../src/platform/problem.ts"
import { signedIn } from "../../support/people.ts"
import { openWorkshop } from "./workshop.ts"

test("a hook says nothing of a record to those who may not change it", async () => {
  const asked: string[] = []
  const letters = collection("letters", {
    fields: {
      owner: relation("members", { required: true, default: expression("@me.id") }),
      secret: text({ readable: "owner = @me.id" }),
    },
    rules: {
      read: "true",
      create: "owner = @me.id",
      update: "owner = @me.id",
      delete: "owner = @me.id",
    },
    beforeWrite: {
      needs: "record",
      run({ action, record, actor }) {
        if (action === "create") return undefined
        asked.push(actor.kind)
        throw new Problem("conflict", `The secret is ${record?.secret}.`)
      },
    },
  })
  const workshop = await openWorkshop([letters])
  const alice = await signedIn("alice")
  const bob = await signedIn("bob")
  const made = await workshop.call(alice, "POST", "/records/letters", { secret: "swordfish" })
  const path = `/records/letters/${((await made.json()) as { id: string }).id}`

  for (const [method, body] of [
    ["PATCH", { secret: "x" }],
    ["PUT", { secret: "x" }],
    ["DELETE"],
  ] as const) {
    expect((await workshop.call(bob, method, path, body)).status, method).toBe(403)
    expect((await workshop.call(null, method, path, body)).status, method).toBe(401)
  }
  expect(asked).toEqual([])
  expect((await workshop.call(alice, "DELETE", path)).status).toBe(409)
  expect(asked).toEqual(["user"])
})
