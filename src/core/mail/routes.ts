import { type Context, Hono, type MiddlewareHandler } from "hono"
import { onDatabase } from "../../platform/chosen-database.ts"
import type { Http, SignedIn } from "../../platform/http.ts"
import { jsonBody, queryOf } from "../../platform/input.ts"
import { nextLink, pageOfQuery } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { readText } from "../../platform/validate.ts"
import { databaseQuery } from "../jobs/schema.ts"
import { checkedAddress } from "./address.ts"
import { getMail, latestMails, listMails, sendAgain } from "./mails.ts"
import { pagePolicy } from "./page-style.ts"
import { previewPage } from "./preview-page.ts"
import { applyEvent, verifiedEvent } from "./resend-events.ts"
import { mailQuery, newSuppression, suppressionQuery, tokenQuery } from "./schema.ts"
import { listSuppressions, suppress, unsuppress } from "./suppressions.ts"
import type { MailTemplate } from "./template.ts"
import { openUnsubscribeToken } from "./unsubscribe-link.ts"
import { unsubscribePage } from "./unsubscribe-page.ts"

interface MailRoutesOptions {
  /** Lets administrators of the deployment pass, and nobody else. */
  readonly administrators: MiddlewareHandler<SignedIn>
  /** For the preview. */
  readonly templates: readonly MailTemplate[]
}

const previewedMails = 20

/** Mounted at the root: `/mails/…` for administrators, `/mail/…` for readers of mail and for providers. */
export const mailRoutes = ({ administrators, templates }: MailRoutesOptions): Hono<Http> =>
  new Hono<Http>()
    .route("/mails", administration(administrators))

    .get("/mail/unsubscriptions", queryOf(tokenQuery), async (c) =>
      page(c, unsubscribePage(await unsubscriptionOf(c, c.req.valid("query").token), false)),
    )

    // Without a session: whoever holds the link got the mail. Whatever the body says is passed over (RFC 8058).
    .post("/mail/unsubscriptions", queryOf(tokenQuery), async (c) => {
      const unsubscription = await unsubscriptionOf(c, c.req.valid("query").token)
      const { address, list } = unsubscription
      await suppress(c.get("app"), { address, list, reason: "unsubscribed", detail: null })
      return page(c, unsubscribePage(unsubscription, true))
    })

    .post("/mail/events/resend", async (c) => {
      const app = c.get("app")
      const secret = app.settings.mail.resendWebhookSecret
      if (secret === null) throw new Problem("not_found")
      const body = await readText(c.req.raw)
      await applyEvent(app, verifiedEvent(secret, c.req.raw.headers, body, app.now()))
      return c.body(null, 204)
    })

    .get("/mail/preview", async (c) => {
      const app = c.get("app")
      if (!app.settings.development) throw new Problem("not_found")
      return page(c, previewPage(templates, await latestMails(app, previewedMails)))
    })

/** Mails are those of one database; suppressions hold in all. */
const administration = (administrators: MiddlewareHandler<SignedIn>): Hono<SignedIn> =>
  new Hono<SignedIn>()
    .use(administrators)

    .get("/", queryOf(mailQuery), async (c) => {
      const { limit, cursor, database, ...filter } = c.req.valid("query")
      const app = onDatabase(c.get("app"), database)
      const page = await listMails(app, { ...pageOfQuery({ limit, cursor }), ...filter })
      return c.json(page, 200, nextLink(c.req.url, page))
    })

    .get("/suppressions", queryOf(suppressionQuery), async (c) => {
      const { address = null, ...asked } = c.req.valid("query")
      const page = await listSuppressions(c.get("app"), { ...pageOfQuery(asked), address })
      return c.json(page, 200, nextLink(c.req.url, page))
    })

    .post("/suppressions", jsonBody(newSuppression), async (c) => {
      const { address, list = null, detail = null } = c.req.valid("json")
      checkedAddress({ email: address, name: null })
      const reason = "administrator"
      const suppression = await suppress(c.get("app"), { address, list, reason, detail })
      tell(c, "suppression made", { suppression: suppression.id })
      return c.json(suppression, 201)
    })

    .delete("/suppressions/:id", async (c) => {
      await unsuppress(c.get("app"), c.req.param("id"))
      tell(c, "suppression deleted", { suppression: c.req.param("id") })
      return c.body(null, 204)
    })

    .get("/:id", queryOf(databaseQuery), async (c) => {
      const app = onDatabase(c.get("app"), c.req.valid("query").database)
      return c.json(await getMail(app, c.req.param("id")))
    })

    .post("/:id/deliveries", queryOf(databaseQuery), async (c) => {
      const app = onDatabase(c.get("app"), c.req.valid("query").database)
      const mail = await sendAgain(app, c.req.param("id"))
      tell(c, "mail sent again", { mail: mail.id })
      return c.json(mail, 202)
    })

/** Who did it to what, by their ids: no log learns an address. */
function tell(c: Context<SignedIn>, message: string, fields: Record<string, string>): void {
  c.get("app").log("info", message, { ...fields, actor: c.get("actor").id })
}

/** @throws {Problem} `not_found` */
async function unsubscriptionOf(c: Context<Http>, token: string) {
  const found = await openUnsubscribeToken(c.get("app").settings, token)
  if (!found) throw new Problem("not_found", "This link was not made here.")
  return found
}

/** The address of such a page holds a secret, or shows others' mail: nobody else learns it. */
const page = (c: Context<Http>, html: string): Response =>
  c.body(html, 200, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": pagePolicy,
    "referrer-policy": "no-referrer",
  })
