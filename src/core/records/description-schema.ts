import * as z from "zod"

export const fieldDescription = z
  .object({
    name: z.string(),
    kind: z
      .string()
      .meta({ description: "As in the definition: `text`, `integer`, `relation`, …" }),
    required: z.boolean(),
    options: z.record(z.string(), z.unknown()).meta({
      description: "What the definition says beyond that: limits, choices, rules, target.",
    }),
  })
  .meta({ description: "A field as its collection defines it." })

export const collectionDescription = z
  .object({
    name: z.string(),
    description: z.string().nullable(),
    scope: z.enum(["organisation"]).nullable(),
    administrators: z.enum(["pass", "obey"]),
    fields: z.array(fieldDescription),
    rules: z
      .record(
        z.string(),
        z.union([z.string(), z.object({ before: z.string(), after: z.string() })]),
      )
      .meta({ description: "Expressions by action. What has no rule is open to nobody." }),
    search: z.array(z.string()),
    unique: z.array(z.array(z.string())),
    indexes: z.array(z.array(z.string())),
    readOnly: z.boolean().meta({ description: "Written by the system alone." }),
  })
  .meta({ description: "A collection as it is defined in code." })

export const collectionDescriptionList = z.object({ items: z.array(collectionDescription) })
