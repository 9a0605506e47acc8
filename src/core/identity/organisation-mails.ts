import * as z from "zod"
import { button, heading, paragraph, smallPrint } from "../mail/content.ts"
import { mailTemplate } from "../mail/template.ts"

/*
 * Mails of organisations. Names in them were typed by strangers to the reader: they stand between quotation marks, and the
 * only link is the deployment's own.
 */

const organisation = z.string()

export const invitationMail = mailTemplate("organisation-invitation", {
  data: z.object({ organisation, url: z.url(), days: z.int() }),
  sample: {
    organisation: "Film club",
    url: "https://app.example.com/console/invitations#hiv_…",
    days: 7,
  },
  messages: {
    en: {
      subject: ({ organisation }) => `Invitation to “${organisation}”`,
      heading: "You are invited",
      text: ({ organisation }) => `You have been invited to join “${organisation}”.`,
      accept: "Accept the invitation",
      print: ({ days }) =>
        `The link works once, within ${days} days, and only for an account with this address. If you expect no invitation, do nothing.`,
    },
    de: {
      subject: ({ organisation }) => `Einladung zu „${organisation}“`,
      heading: "Sie sind eingeladen",
      text: ({ organisation }) => `Sie wurden eingeladen, „${organisation}“ beizutreten.`,
      accept: "Einladung annehmen",
      print: ({ days }) =>
        `Der Link gilt einmal, ${days} Tage lang und nur für ein Konto mit dieser Adresse. Wenn Sie keine Einladung erwarten, brauchen Sie nichts zu tun.`,
    },
  },
  content: (t, { url }) => ({
    subject: t.subject,
    preheader: t.text,
    blocks: [heading(t.heading), paragraph(t.text), button(t.accept, url), smallPrint(t.print)],
  }),
})

/** Mails that tell of something and ask for nothing. */
const notice = (
  name: string,
  messages: Readonly<
    Record<"en" | "de", { subject: (name: string) => string; text: (name: string) => string }>
  >,
) => {
  const worded = ({ subject, text }: (typeof messages)["en"]) => ({
    subject: ({ organisation }: { organisation: string }) => subject(organisation),
    text: ({ organisation }: { organisation: string }) => text(organisation),
  })
  return mailTemplate(name, {
    data: z.object({ organisation }),
    sample: { organisation: "Film club" },
    messages: { en: worded(messages.en), de: worded(messages.de) },
    content: (t) => ({ subject: t.subject, blocks: [heading(t.subject), paragraph(t.text)] }),
  })
}

export const addedMail = notice("organisation-member-added", {
  en: {
    subject: (name) => `You have joined “${name}”`,
    text: (name) => `You are now a member of “${name}”. If this was not you, leave it.`,
  },
  de: {
    subject: (name) => `Sie sind „${name}“ beigetreten`,
    text: (name) =>
      `Sie sind jetzt Mitglied von „${name}“. Wenn Sie das nicht waren, treten Sie wieder aus.`,
  },
})

export const removedMail = notice("organisation-member-removed", {
  en: {
    subject: (name) => `You are no longer a member of “${name}”`,
    text: (name) => `You have been removed from “${name}”, and no longer see what belongs to it.`,
  },
  de: {
    subject: (name) => `Sie sind nicht mehr Mitglied von „${name}“`,
    text: (name) => `Sie wurden aus „${name}“ entfernt und sehen nicht mehr, was dazu gehört.`,
  },
})

export const ownershipGivenMail = notice("organisation-ownership-given", {
  en: {
    subject: (name) => `“${name}” has a new owner`,
    text: (name) =>
      `You have handed “${name}” over to another member, and are an admin of it from now on. If this was not you, tell them at once.`,
  },
  de: {
    subject: (name) => `„${name}“ hat neue Eigentümer`,
    text: (name) =>
      `Sie haben „${name}“ an ein anderes Mitglied übergeben und verwalten es von nun an nur noch. Wenn Sie das nicht waren, sagen Sie dort sofort Bescheid.`,
  },
})

export const ownershipReceivedMail = notice("organisation-ownership-received", {
  en: {
    subject: (name) => `You own “${name}” now`,
    text: (name) => `“${name}” has been handed over to you: you are an owner of it.`,
  },
  de: {
    subject: (name) => `„${name}“ gehört jetzt Ihnen`,
    text: (name) => `„${name}“ wurde Ihnen übergeben: Sie sind nun Eigentümer.`,
  },
})

/** For the preview in development. */
export const organisationTemplates = [
  invitationMail,
  addedMail,
  removedMail,
  ownershipGivenMail,
  ownershipReceivedMail,
]
