import * as z from "zod"
import { databaseQuery } from "../jobs/schema.ts"
import { addressPattern } from "./address.ts"
import { mailStates } from "./stored-mail.ts"
import { suppressionReasons } from "./suppressions.ts"

/*
 * Shapes on the wire. Inputs are strict: an unknown field is an error that names it. OpenAPI is made from these.
 */

const id = z.uuid().meta({ description: "UUIDv7" })
const instant = z.iso.datetime({ precision: 3 }).meta({ description: "ISO 8601, UTC" })
const optionalInstant = instant.nullable()

/** Whether it is one is decided by `checkedAddress`, where mail decides it. */
const address = z
  .string()
  .max(254)
  .regex(addressPattern, "is not an e-mail address")
  .meta({ description: "An e-mail address.", examples: ["ann@example.com"] })

const listName = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, "may not hold control characters")
  .meta({ description: "Name of a list.", examples: ["Newsletter"] })

const page = {
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().optional(),
}

export const mailQuery = z
  .strictObject({
    ...page,
    state: z.enum(mailStates).optional().meta({ description: "Only those in this state." }),
    template: z.string().max(100).optional().meta({ description: "Only those of this template." }),
    address: z.string().max(254).optional().meta({ description: "Only those to this address." }),
    ...databaseQuery.shape,
  })
  .meta({ description: "A page of mails." })

export const suppressionQuery = z
  .strictObject({
    ...page,
    address: z.string().max(254).optional().meta({ description: "Only those of this address." }),
  })
  .meta({ description: "A page of suppressions." })

export const tokenQuery = z
  .strictObject({
    token: z.string().min(1).max(2_000).meta({ description: "From the link in the mail." }),
  })
  .meta({ description: "The link's token." })

const summary = {
  id,
  cause: z.string().meta({ description: "What it was sent for; there is one mail for a cause." }),
  template: z.string(),
  locale: z.string(),
  list: z.string().nullable().meta({ description: "The list that it belongs to." }),
  organisation: z.string().nullable(),
  recipient: z.string().nullable().meta({ description: "Id of the person it goes to." }),
  address: z.string().nullable().meta({ description: "Null until it is looked up." }),
  name: z.string().nullable(),
  subject: z.string(),
  state: z.enum(mailStates).meta({
    description:
      "`uncertain`: it may have left, and does not leave again by itself. `suppressed`: the address is on the list.",
  }),
  attempts: z.int(),
  driver: z.string().nullable(),
  messageId: z.string().nullable().meta({ description: "What the provider calls it." }),
  error: z.string().nullable().meta({ description: "Why it was not accepted." }),
  createdAt: instant,
  claimedAt: optionalInstant.meta({ description: "Since when it may have left." }),
  sentAt: optionalInstant,
}

export const mailSummary = z.object(summary).meta({ description: "A mail without its bodies." })

export const mail = z
  .object({
    ...summary,
    text: z
      .string()
      .meta({ description: "Empty once it was sent by other means than the outbox." }),
    html: z.string(),
  })
  .meta({ description: "A mail." })

export const newSuppression = z
  .strictObject({
    address,
    list: listName.nullable().optional().meta({ description: "Without it, mail of any kind." }),
    detail: listName.nullable().optional().meta({ description: "Why, for administrators." }),
  })
  .meta({ description: "An address that shall get no mail." })

export const suppression = z
  .object({
    id,
    address: z.string(),
    list: z.string().nullable().meta({ description: "Null for mail of any kind." }),
    reason: z.enum(suppressionReasons),
    detail: z.string().nullable(),
    createdAt: instant,
  })
  .meta({ description: "An address that gets no mail." })

const next = z.string().nullable().meta({ description: "Cursor of the next page." })

export const mailPage = z.object({ items: z.array(mailSummary), next })
export const suppressionPage = z.object({ items: z.array(suppression), next })

/** As Resend sends it; what else it holds is passed over. */
export const resendEvent = z
  .looseObject({ type: z.string(), data: z.looseObject({}) })
  .meta({ description: "An event of Resend." })
