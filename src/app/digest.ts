import { z } from "zod"
import { job } from "../core/jobs/job.ts"
import { schedule } from "../core/jobs/schedule.ts"
import { collection } from "../core/records/collection.ts"
import { choice, expression, relation } from "../core/records/fields.ts"
import type { Reach } from "../core/records/reach.ts"
import { digestMail } from "./digest-mail.ts"
import { reviews } from "./reviews.ts"

/** Who wants the week's reviews by mail, in which language. */
export const digestReaders = collection("digestReaders", {
  fields: {
    member: relation("members", { required: true, unique: true, default: expression("@me.id") }),
    language: choice(["en", "de"], { required: true, default: "en" }),
  },
  rules: {
    read: "member = @me.id",
    create: "member = @me.id",
    update: "member = @me.id",
    delete: "member = @me.id",
  },
})

/** Sends the new reviews of the week before, when there are any. Tried again, it sends nobody a second one. */
export const sendDigest = job("digest", {
  payload: z.object({ dueAt: z.iso.datetime() }),
  async run({ payload: { dueAt }, key }, { records, mail }: Reach) {
    const query = { filter: `createdAt > "${weekBefore(dueAt)}"`, sort: "-createdAt", limit: 20 }
    const { items } = await records.list(reviews, { ...query, expand: "film,author" })
    const news = items.map(({ stars, expanded: { film, author } }) => ({ film, author, stars }))
    for await (const { member, language } of records.all(digestReaders))
      await mail.send(
        digestMail,
        { user: member },
        { reviews: news },
        { list: "digest", cause: key, locale: language },
      )
  },
})

export const mondayDigest = schedule("digest.monday", {
  cron: "0 9 * * MON",
  timeZone: "Europe/Berlin",
  job: sendDigest,
  payload: (dueAt) => ({ dueAt }),
})
