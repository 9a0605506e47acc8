import * as z from "zod"
import { heading, paragraph, smallPrint } from "../mail/content.ts"
import { type MailTemplate, mailTemplate } from "../mail/template.ts"

/** To the owner of an endpoint that is sent nothing any more. */
export const endpointDisabled = mailTemplate("webhooks.endpoint-disabled", {
  data: z.object({
    host: z.string(),
    reason: z.enum(["gone", "failing", "filter", "owner"]),
    /** ISO 8601, UTC. */
    at: z.string(),
  }),
  sample: { host: "hooks.example.com", reason: "failing", at: "2026-11-28T09:30:00.000Z" },
  messages: {
    en: {
      subject: "A webhook was switched off",
      text: ({ host, reason }) =>
        reason === "gone"
          ? `The receiver at “${host}” says that it is gone for good, so nothing is sent to it any more.`
          : reason === "filter"
            ? `The filter of the webhook to “${host}” does not fit the data any more: a field that it names was removed or changed. So nothing is sent to it any more.`
            : reason === "owner"
              ? `The webhook to “${host}” was made with an API key that has ended, or in an organisation that you have left. By these rights everything was judged, so nothing is sent to it any more, and it cannot be switched on again: make a new one.`
              : `The receiver at “${host}” has not taken anything for five days, so nothing is sent to it any more.`,
      at: ({ at }) => `When: ${utc(at)}`,
      hint: ({ reason }) =>
        reason === "owner"
          ? "What waits is deleted after thirty days."
          : "What waits is kept for thirty days. Once the cause is mended, switch the endpoint on, and replay what it has missed.",
    },
    de: {
      subject: "Ein Webhook wurde abgeschaltet",
      text: ({ host, reason }) =>
        reason === "gone"
          ? `Der Empfänger bei „${host}“ sagt, dass es ihn nicht mehr gibt. Darum wird ihm nichts mehr geschickt.`
          : reason === "filter"
            ? `Der Filter des Webhooks zu „${host}“ passt nicht mehr zu den Daten: Ein Feld, das er nennt, wurde entfernt oder geändert. Darum wird ihm nichts mehr geschickt.`
            : reason === "owner"
              ? `Der Webhook zu „${host}“ wurde mit einem API-Schlüssel angelegt, der nicht mehr gilt, oder in einer Organisation, die du verlassen hast. Nach diesen Rechten richtete sich alles. Darum wird ihm nichts mehr geschickt, und er lässt sich nicht wieder einschalten: Lege einen neuen an.`
              : `Der Empfänger bei „${host}“ hat fünf Tage lang nichts angenommen. Darum wird ihm nichts mehr geschickt.`,
      at: ({ at }) => `Wann: ${utc(at)}`,
      hint: ({ reason }) =>
        reason === "owner"
          ? "Was wartet, wird nach dreißig Tagen gelöscht."
          : "Was wartet, bleibt dreißig Tage. Wenn die Ursache behoben ist, schalte den Endpunkt ein und schicke noch einmal, was er verpasst hat.",
    },
  },
  content: (t) => ({
    subject: t.subject,
    blocks: [heading(t.subject), paragraph(t.text), paragraph(t.at), smallPrint(t.hint)],
  }),
})

const utc = (at: string): string => `${at.slice(0, 16).replace("T", " ")} UTC`

/** For the preview in development. */
export const webhookTemplates: readonly MailTemplate[] = [endpointDisabled]
