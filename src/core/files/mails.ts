import * as z from "zod"
import { heading, paragraph, smallPrint } from "../mail/content.ts"
import { type MailTemplate, mailTemplate } from "../mail/template.ts"

/** To whoever sent a file in which malware was found. */
export const fileInfected = mailTemplate("files.infected", {
  data: z.object({ name: z.string() }),
  sample: { name: "invoice.pdf" },
  messages: {
    en: {
      subject: "Malware was found in a file of yours",
      text: ({ name }) =>
        `The file “${name}” holds malware, or something that looks like it. Nobody can read it any more, and neither can you.`,
      hint: "Delete it, and look at the device that it came from.",
    },
    de: {
      subject: "In einer deiner Dateien wurde Schadsoftware gefunden",
      text: ({ name }) =>
        `Die Datei „${name}“ enthält Schadsoftware, oder etwas, das so aussieht. Niemand kann sie mehr lesen, auch du nicht.`,
      hint: "Lösche sie, und sieh dir das Gerät an, von dem sie kam.",
    },
  },
  content: (t) => ({
    subject: t.subject,
    blocks: [heading(t.subject), paragraph(t.text), smallPrint(t.hint)],
  }),
})

/** For the preview in development. */
export const fileTemplates: readonly MailTemplate[] = [fileInfected]
