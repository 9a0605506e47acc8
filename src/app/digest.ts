import { eachPage } from "../core/jobs/each-page.ts"
import { type DueRun, schedule } from "../core/jobs/schedule.ts"
import { type AfterCommit, collection } from "../core/records/collection.ts"
import { choice, expression, relation } from "../core/records/fields.ts"
import type { Reach } from "../core/records/reach.ts"
import { digestMail } from "./digest-mail.ts"
import { reviews } from "./reviews.ts"

const list = "Film Club"

/** Who asks for the digest gets it, though they unsubscribed from an earlier one. */
const welcome: AfterCommit = async (_app, { kind, image, at }, { mail }) => {
  if (kind === "created") await mail.resubscribe(list, { user: image.member as string }, at)
}

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
  afterCommit: welcome,
})

/** The reviews since the last digest, to whoever asked for them. However often the job is tried, nobody gets it twice. */
async function run(job: DueRun, { records, mail }: Reach): Promise<void> {
  const filter = `createdAt >= "${job.payload.since}" && createdAt < "${job.payload.dueAt}"`
  const news = await records.list(reviews, { filter, sort: "-createdAt", expand: "film,author" })
  if (news.items.length === 0) return
  await eachPage(job, records.pages(digestReaders), async (readers) => {
    const people = readers.map(({ member, language }) => ({ user: member, locale: language }))
    await mail.sendAll(digestMail, people, { items: news.items }, { cause: job.key, list })
  })
}
export const digest = schedule("digest", { cron: "0 9 * * MON", timeZone: "Europe/Berlin", run })
