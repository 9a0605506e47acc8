import { type DueRun, schedule } from "../core/jobs/schedule.ts"
import { collection } from "../core/records/collection.ts"
import { choice, expression, relation } from "../core/records/fields.ts"
import type { Reach } from "../core/records/reach.ts"
import { digestMail } from "./digest-mail.ts"
import { reviews } from "./reviews.ts"

/** Who asked for the week's reviews by mail, and in which language. */
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

/** The reviews since the last digest, to whoever asked for them. However often the job is tried, nobody gets it twice. */
async function run({ key, payload }: DueRun, { records, mail }: Reach): Promise<void> {
  const filter = `createdAt >= "${payload.since}" && createdAt < "${payload.dueAt}"`
  const { items } = await records.list(reviews, {
    filter,
    sort: "-createdAt",
    expand: "film,author",
  })
  for await (const { member, language: locale } of items[0] ? records.all(digestReaders) : []) {
    const options = { cause: `${key}/${member}`, locale, list: "Film Club" }
    await mail.send(digestMail, { user: member }, { items }, options)
  }
}
export const digest = schedule("digest", { cron: "0 9 * * MON", timeZone: "Europe/Berlin", run })
