import * as z from "zod"
import type { App } from "../../platform/app.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { button, code, heading, paragraph, smallPrint } from "../mail/content.ts"
import { insertMails } from "../mail/enqueue.ts"
import { type Locale, locales } from "../mail/locale.ts"
import { type NewMail, newMail } from "../mail/new-mail.ts"
import { type MailTemplate, mailTemplate } from "../mail/template.ts"
import type { Person } from "./person.ts"

/*
 * Mails about accounts. They name no address and no name: whoever reads a mail that went astray learns nothing.
 */

const link = z.object({ url: z.string() })
const sample = { url: "https://app.example.com/auth/links/sample#hat_sample" }

interface Words {
  readonly subject: string
  readonly text: string
  readonly label: string
  readonly hint: string
}

/** A sentence, a button, and what to do when one did not ask for it. */
const linkMail = (name: string, messages: Readonly<Record<"en" | "de", Words>>) =>
  mailTemplate(name, {
    data: link,
    sample,
    messages: { en: { ...messages.en }, de: { ...messages.de } },
    content: (t, { url }) => ({
      subject: t.subject,
      blocks: [heading(t.subject), paragraph(t.text), button(t.label, url), smallPrint(t.hint)],
    }),
  })

export const verifyEmail = linkMail("account.verify-email", {
  en: {
    subject: "Confirm your e-mail address",
    text: "Confirm that this address is yours. The link works once, for three days.",
    label: "Confirm address",
    hint: "If you have no account here, there is nothing to do.",
  },
  de: {
    subject: "Bestätige deine E-Mail-Adresse",
    text: "Bestätige, dass diese Adresse dir gehört. Der Link gilt einmal, drei Tage lang.",
    label: "Adresse bestätigen",
    hint: "Wenn du hier kein Konto hast, ist nichts zu tun.",
  },
})

export const resetPassword = linkMail("account.reset-password", {
  en: {
    subject: "Choose a new password",
    text: "With this link you choose a new password. It works once, for one hour, and ends all your sessions.",
    label: "Choose a password",
    hint: "If you did not ask for it, your password stays as it is.",
  },
  de: {
    subject: "Wähle ein neues Passwort",
    text: "Mit diesem Link wählst du ein neues Passwort. Er gilt einmal, eine Stunde lang, und beendet alle deine Sitzungen.",
    label: "Passwort wählen",
    hint: "Wenn du das nicht verlangt hast, bleibt dein Passwort, wie es ist.",
  },
})

export const renewPassword = linkMail("account.renew-password", {
  en: {
    subject: "Your password has to be renewed",
    text: "Your old password no longer works, and all your sessions have ended. Choose a new password with this link; it works once, for one hour. After that, ask for another one where you sign in.",
    label: "Choose a password",
    hint: "This was done to protect your account.",
  },
  de: {
    subject: "Dein Passwort muss erneuert werden",
    text: "Dein altes Passwort gilt nicht mehr, und alle deine Sitzungen sind beendet. Wähle mit diesem Link ein neues; er gilt einmal, eine Stunde lang. Danach verlangst du bei der Anmeldung einen weiteren.",
    label: "Passwort wählen",
    hint: "Das geschah, um dein Konto zu schützen.",
  },
})

export const userInvitation = linkMail("account.invitation", {
  en: {
    subject: "You are invited",
    text: "You have been invited to have an account. With this link you choose your password. It works once, for seven days.",
    label: "Accept the invitation",
    hint: "If you expect no invitation, there is nothing to do.",
  },
  de: {
    subject: "Du bist eingeladen",
    text: "Du wurdest eingeladen, hier ein Konto zu haben. Mit diesem Link wählst du dein Passwort. Er gilt einmal, sieben Tage lang.",
    label: "Einladung annehmen",
    hint: "Wenn du keine Einladung erwartest, ist nichts zu tun.",
  },
})

export const confirmNewAddress = linkMail("account.confirm-new-address", {
  en: {
    subject: "Confirm your new e-mail address",
    text: "Somebody wants to use this address for their account. If it was you, confirm it. The link works once, for one day.",
    label: "Use this address",
    hint: "If it was not you, there is nothing to do.",
  },
  de: {
    subject: "Bestätige deine neue E-Mail-Adresse",
    text: "Jemand möchte diese Adresse für ein Konto verwenden. Wenn du es warst, bestätige sie. Der Link gilt einmal, einen Tag lang.",
    label: "Diese Adresse verwenden",
    hint: "Wenn du es nicht warst, ist nichts zu tun.",
  },
})

export const addressIsChanging = linkMail("account.address-is-changing", {
  en: {
    subject: "Your e-mail address is being changed",
    text: "Somebody who is signed in to your account has asked to replace this address with another. If it was not you, stop it with this link, now or within seven days: the address stays or comes back, all sessions end, the password is void, and you get a link to choose a new one.",
    label: "This was not me",
    hint: "If it was you, there is nothing to do.",
  },
  de: {
    subject: "Deine E-Mail-Adresse wird geändert",
    text: "Jemand, der in deinem Konto angemeldet ist, will diese Adresse durch eine andere ersetzen. Wenn du es nicht warst, verhindere es mit diesem Link, jetzt oder innerhalb von sieben Tagen: Die Adresse bleibt oder kommt zurück, alle Sitzungen enden, das Passwort gilt nicht mehr, und du bekommst einen Link, um ein neues zu wählen.",
    label: "Das war ich nicht",
    hint: "Wenn du es warst, ist nichts zu tun.",
  },
})

/** In the place of `confirmNewAddress`, so that who asked does not learn of the other account. */
export const addressInUse = mailTemplate("account.address-in-use", {
  data: z.object({}),
  sample: {},
  messages: {
    en: {
      subject: "Your e-mail address has an account already",
      text: "Somebody wanted to use this address for another account. It belongs to yours, so nothing was changed.",
    },
    de: {
      subject: "Deine E-Mail-Adresse hat schon ein Konto",
      text: "Jemand wollte diese Adresse für ein anderes Konto verwenden. Sie gehört zu deinem, darum wurde nichts geändert.",
    },
  },
  content: (t) => ({ subject: t.subject, blocks: [heading(t.subject), paragraph(t.text)] }),
})

export const signInCode = mailTemplate("account.sign-in-code", {
  data: link.extend({ code: z.string() }),
  sample: { ...sample, code: "123456" },
  messages: {
    en: {
      subject: "Your code to sign in",
      text: "Type this code where you are signing in. It works once, for ten minutes.",
      label: "Sign in with this link instead",
      hint: "Nobody of ours will ever ask for this code. If you are not signing in, there is nothing to do.",
    },
    de: {
      subject: "Dein Code zum Anmelden",
      text: "Gib diesen Code ein, wo du dich gerade anmeldest. Er gilt einmal, zehn Minuten lang.",
      label: "Stattdessen mit diesem Link anmelden",
      hint: "Niemand von uns wird dich je nach diesem Code fragen. Wenn du dich nicht anmeldest, ist nichts zu tun.",
    },
  },
  // The code stands not in the subject, which lock screens show to everybody.
  content: (t, data) => ({
    subject: t.subject,
    blocks: [
      heading(t.subject),
      paragraph(t.text),
      code(data.code),
      button(t.label, data.url),
      smallPrint(t.hint),
    ],
  }),
})

/** What happened to an account that its person should know, whoever did it. */
const happenings = {
  newDevice: [
    "New sign-in to your account",
    "Somebody signed in to your account from a device or a network that was not seen lately.",
    "Neue Anmeldung bei deinem Konto",
    "Jemand hat sich von einem Gerät oder aus einem Netz, das zuletzt nicht zu sehen war, bei deinem Konto angemeldet.",
  ],
  passwordChanged: [
    "Your password was changed",
    "The password of your account was changed, and your other sessions have ended.",
    "Dein Passwort wurde geändert",
    "Das Passwort deines Kontos wurde geändert, und deine anderen Sitzungen sind beendet.",
  ],
  emailChanged: [
    "Your e-mail address was changed",
    "Your account now has another e-mail address.",
    "Deine E-Mail-Adresse wurde geändert",
    "Dein Konto hat jetzt eine andere E-Mail-Adresse.",
  ],
  factorAdded: [
    "A way to sign in was added",
    "A passkey, an authenticator or new recovery codes were added to your account.",
    "Ein Weg zur Anmeldung kam hinzu",
    "Ein Passkey, ein Authenticator oder neue Wiederherstellungscodes kamen zu deinem Konto hinzu.",
  ],
  factorRemoved: [
    "A way to sign in was removed",
    "A passkey or an authenticator was removed from your account.",
    "Ein Weg zur Anmeldung wurde entfernt",
    "Ein Passkey oder ein Authenticator wurde von deinem Konto entfernt.",
  ],
  identityLinked: [
    "A way to sign in was added",
    "An account with another provider was linked to yours, and can be used to sign in.",
    "Ein Weg zur Anmeldung kam hinzu",
    "Ein Konto bei einem anderen Anbieter wurde mit deinem verknüpft, und man kann sich damit anmelden.",
  ],
  identityUnlinked: [
    "A way to sign in was removed",
    "An account with another provider is no longer linked to yours, and cannot be used to sign in.",
    "Ein Weg zur Anmeldung wurde entfernt",
    "Ein Konto bei einem anderen Anbieter ist nicht mehr mit deinem verknüpft, und man kann sich nicht mehr damit anmelden.",
  ],
  sessionStolen: [
    "A session of yours was ended",
    "Its refresh token was used twice, so somebody may have taken it from your device. Sign in again there.",
    "Eine deiner Sitzungen wurde beendet",
    "Ihr Refresh-Token wurde zweimal benutzt, jemand könnte es von deinem Gerät genommen haben. Melde dich dort neu an.",
  ],
  accountDisabled: [
    "Your account was disabled",
    "An administrator has disabled your account: nobody can sign in to it.",
    "Dein Konto wurde gesperrt",
    "Jemand aus der Verwaltung hat dein Konto gesperrt: niemand kann sich daran anmelden.",
  ],
  rolesChanged: [
    "Your roles were changed",
    "An administrator has changed what your account may do.",
    "Deine Rollen wurden geändert",
    "Jemand aus der Verwaltung hat geändert, was dein Konto darf.",
  ],
  keyCreated: [
    "A key for programs was made",
    "A key was made with which programs can act for your account.",
    "Ein Schlüssel für Programme wurde erstellt",
    "Ein Schlüssel wurde erstellt, mit dem Programme für dein Konto handeln können.",
  ],
  impersonated: [
    "An administrator acts in your name",
    "An administrator has opened a session in your name, for one hour at most. It is among your sessions, where you can end it.",
    "Jemand aus der Verwaltung handelt in deinem Namen",
    "Jemand aus der Verwaltung hat eine Sitzung in deinem Namen eröffnet, für höchstens eine Stunde. Sie steht unter deinen Sitzungen, wo du sie beenden kannst.",
  ],
  accountDeleted: [
    "Your account was deleted",
    "Your account, your name and everything you signed in with were deleted, as you asked.",
    "Dein Konto wurde gelöscht",
    "Dein Konto, dein Name und alles, womit du dich angemeldet hast, wurden gelöscht, wie du es verlangt hast.",
  ],
} as const satisfies Readonly<Record<string, readonly [string, string, string, string]>>

export type Happening = keyof typeof happenings

const notice = z.object({
  what: z.enum(Object.keys(happenings) as [Happening, ...Happening[]]),
  /** ISO 8601, UTC. */
  at: z.string(),
  /** The device, or a reason, in the words of whoever gave it. */
  detail: z.string().nullable(),
})

export const accountNotice = mailTemplate("account.notice", {
  data: notice,
  sample: { what: "newDevice", at: "2026-11-21T09:30:00.000Z", detail: "Firefox" },
  messages: {
    en: {
      subject: ({ what }) => happenings[what][0],
      text: ({ what }) => happenings[what][1],
      at: ({ at }) => `When: ${utc(at)}`,
      hint: "If this was not you, choose a new password and end all sessions.",
    },
    de: {
      subject: ({ what }) => happenings[what][2],
      text: ({ what }) => happenings[what][3],
      at: ({ at }) => `Wann: ${utc(at)}`,
      hint: "Wenn du es nicht warst, wähle ein neues Passwort und beende alle Sitzungen.",
    },
  },
  content: (t, { detail }) => ({
    subject: t.subject,
    blocks: [
      heading(t.subject),
      paragraph(t.text),
      paragraph(detail === null ? t.at : `${t.at}\n${detail}`),
      smallPrint(t.hint),
    ],
  }),
})

const utc = (at: string): string => `${at.slice(0, 16).replace("T", " ")} UTC`

/** Sent by identity itself: for the preview in development. */
export const accountTemplates: readonly MailTemplate[] = [
  verifyEmail,
  resetPassword,
  renewPassword,
  userInvitation,
  confirmNewAddress,
  addressIsChanging,
  addressInUse,
  signInCode,
  accountNotice,
]

interface Telling {
  /** Free text, such as a user agent or a reason: shown as it is, shortened. */
  readonly detail?: string | null
  /** Where the person has got another address in the same batch, or none. */
  readonly email?: string
}

/** Tells a person what happened to their account; for `insertMails` in the batch in which it happens. */
export const tellPerson = (
  app: App,
  person: Pick<Person, "id" | "locale">,
  what: Happening,
  { detail = null, email }: Telling = {},
): NewMail =>
  newMail(
    accountNotice,
    email === undefined ? { user: person.id } : { email },
    {
      what,
      at: new Date(app.now()).toISOString(),
      detail: detail && printable(detail),
    },
    { cause: `account-notice/${app.newId()}`, locale: person.locale },
  )

/**
 * Statements that tell a person, for batches that have not read them: their language is asked there. Nothing for programs,
 * which read no mail.
 */
export const tellById = (app: App, user: string, what: Happening, telling?: Telling): Sql[] =>
  locales.flatMap((locale) =>
    insertMails(app, [tellPerson(app, { id: user, locale }, what, telling)], speaks(user, locale)),
  )

/** SQL that is true of a person with that language; of all whose language we do not have, for the first of ours. */
function speaks(user: string, locale: Locale): Sql {
  const others = JSON.stringify(locales.filter((one) => one !== locale))
  const language =
    locale === locales[0]
      ? sql`ifnull(locale, '') NOT IN (SELECT value FROM json_each(${others}))`
      : sql`locale = ${locale}`
  return sql`EXISTS (SELECT 1 FROM users WHERE id = ${user} AND kind = 'person' AND ${language})`
}

/** A user agent is whatever its sender wanted it to be. */
const printable = (text: string): string =>
  text
    .replace(/\p{Cc}/gu, " ")
    .toWellFormed()
    .slice(0, 200)

/** After a commit to the directory that held mails. */
export const wakeMail = (app: App): void => app.on(app.directory.name).wake("jobs")
