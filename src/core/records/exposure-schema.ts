import * as z from "zod"
import { actions } from "../identity/key-scopes.ts"
import { personaKinds } from "./personas.ts"

export const exposureQuery = z.strictObject({
  collection: z.string(),
  person: z
    .uuid()
    .optional()
    .meta({ description: "Id of somebody who is to be looked at as well." }),
})

const reach = z.object({
  action: z.enum(actions as ["read", "create", "update", "delete"]),
  rule: z.enum(["always", "never", "depends"]).meta({
    description: "What the rule says before it has seen a record.",
  }),
  rows: z.int().nonnegative().meta({
    description:
      "How many of the counted records: that they read, could have made as they are, may save, may delete.",
  }),
  without: z
    .array(z.object({ field: z.string(), rows: z.int().positive() }))
    .meta({ description: "Fields that stay out of reach, and in how many of these records." }),
})

export const exposureAnswer = z
  .object({
    collection: z.string(),
    counted: z.int().nonnegative().meta({ description: "Records that were looked at." }),
    bounded: z.boolean().meta({
      description: "Whether there may be more: only the newest were looked at.",
    }),
    personas: z.array(
      z.object({
        kind: z.enum(personaKinds),
        role: z.string().nullable().meta({ description: "The role that makes the difference." }),
        person: z.string().nullable().meta({
          description:
            "Id of the person: of `owner`, to whom most records belong, and of `person`.",
        }),
        organisation: z.string().nullable().meta({ description: "In which they are looked at." }),
        actions: z.array(reach),
      }),
    ),
  })
  .meta({ description: "Who reaches what of a collection." })
