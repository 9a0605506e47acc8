import * as z from "zod"
import { badAnySession, type DocumentedModule } from "../../platform/operation.ts"

const instant = z.iso.datetime({ precision: 3 })
const person = z.object({ id: z.string(), name: z.string().nullable() }).nullable()

export const changesQuery = z.strictObject({
  since: z.string().optional().meta({
    description:
      "`next` of the page before; `now` to begin at the end of the log. From its beginning, unless told.",
  }),
  before: z.string().optional().meta({
    description:
      "To read back, the newest first: `now` to begin at the end of the log, then `next` of the page before. Not with `since`.",
  }),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  collection: z.string().optional().meta({ description: "Of this collection alone." }),
  actor: z.string().optional().meta({
    description: "Id of a person: what they wrote, in their own name or in another's.",
  }),
  kind: z.enum(["created", "updated", "deleted"]).optional(),
  differences: z.enum(["true", "false"]).optional().meta({
    description: "`true` to be told what each line changed.",
  }),
})

export const change = z
  .object({
    collection: z.string(),
    id: z.string().meta({ description: "Of the record." }),
    version: z.int().positive(),
    kind: z.enum(["created", "updated", "deleted"]),
    at: instant,
    actor: person.meta({ description: "Who wrote it; null for the system and anonymous writers." }),
    impersonator: person.meta({ description: "The administrator who acted in the actor's name." }),
    authority: z
      .enum(["rule", "administrator", "system"])
      .meta({ description: "What allowed it: a rule, an administrator's pass, the system." }),
    requestId: z.string(),
    record: z.record(z.string(), z.unknown()).nullable().meta({
      description: "As the change left it, as far as you may read it; null of a deletion.",
    }),
    changes: z
      .record(z.string(), z.object({ from: z.unknown(), to: z.unknown() }))
      .nullable()
      .optional()
      .meta({
        description:
          "With `differences=true`: what it changed. Null of a deletion, and where the version before is hidden from you, gone, or archived: then the record's history may tell.",
      }),
  })
  .meta({ description: "A change that you may know of." })

export const changePage = z.object({
  items: z.array(change),
  next: z.string().nullable().meta({
    description:
      "Where to go on. Opaque; it always is another, also when nothing has happened. Null where the log was read back to its beginning.",
  }),
})

export const changesDocs: DocumentedModule = {
  tag: "changes",
  description: "What has happened to records, in order.",
  operations: [
    {
      method: "get",
      path: "/changes",
      operationId: "listChanges",
      summary: "What has happened since",
      description:
        "Each change once, in the order in which they were written, as far as you may see the record as the change left it and as it is now. Of a record that is gone its deletion alone is told, to those who could read it last. A page looks at 5,000 changes of everybody: it may be empty, and then goes on. With `before` the log is read back.",
      auth: "none",
      query: changesQuery,
      responses: { 200: { description: "A page.", schema: changePage } },
      problems: ["invalid_input", "invalid_cursor", "not_found", ...badAnySession],
    },
  ],
  shapes: { changesQuery, change, changePage },
}
