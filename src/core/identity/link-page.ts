import { createHash } from "node:crypto"
import { type Html, html } from "../../platform/html.ts"
import type { Locale } from "../mail/locale.ts"
import { pagePolicy, pageStyle } from "../mail/page-style.ts"
import type { LinkKind } from "./account-links.ts"

/*
 * Where links in mails lead: a page with one button, because programs that look after mailboxes open links by themselves.
 * The token stands behind the `#`: the script takes it, removes it from the address, and sends it when the button is
 * pressed. A product with pages of its own reads the token in the same way.
 */

interface Words {
  readonly title: string
  readonly text: string
  readonly button: string
  readonly done: string
}

const endpoints: Readonly<Record<LinkKind, string>> = {
  "email-verifications": "/auth/email-verifications/confirmations",
  "password-resets": "/auth/password-resets/confirmations",
  "email-changes": "/auth/email-changes/confirmations",
  "email-undos": "/auth/email-changes/undos",
  sessions: "/auth/sessions",
  invitations: "/auth/invitations/confirmations",
}

const words: Readonly<Record<Locale, Readonly<Record<LinkKind, Words>>>> = {
  en: {
    "email-verifications": {
      title: "Confirm your address",
      text: "Confirm that this e-mail address is yours.",
      button: "Confirm",
      done: "Your address is confirmed.",
    },
    "password-resets": {
      title: "Choose a new password",
      text: "All your sessions will end.",
      button: "Save password",
      done: "Your password is changed. Sign in with it.",
    },
    "email-changes": {
      title: "Use this address",
      text: "Your account will use this e-mail address from now on.",
      button: "Use this address",
      done: "Your address is changed.",
    },
    "email-undos": {
      title: "This was not you?",
      text: "The old address stays or comes back, all sessions end, and the password is void.",
      button: "Undo the change",
      done: "It is undone. Choose a new password with the link that we have just mailed you.",
    },
    sessions: {
      title: "Sign in",
      text: "Sign in on this device.",
      button: "Sign in",
      done: "You are signed in.",
    },
    invitations: {
      title: "You are invited",
      text: "Choose a password for your account here. If you have one already, it gets this password, and its sessions end.",
      button: "Accept the invitation",
      done: "Your account is ready. Sign in with this address and your password.",
    },
  },
  de: {
    "email-verifications": {
      title: "Adresse bestätigen",
      text: "Bestätige, dass diese E-Mail-Adresse dir gehört.",
      button: "Bestätigen",
      done: "Deine Adresse ist bestätigt.",
    },
    "password-resets": {
      title: "Neues Passwort wählen",
      text: "Alle deine Sitzungen werden beendet.",
      button: "Passwort speichern",
      done: "Dein Passwort ist geändert. Melde dich damit an.",
    },
    "email-changes": {
      title: "Diese Adresse verwenden",
      text: "Dein Konto verwendet von nun an diese E-Mail-Adresse.",
      button: "Diese Adresse verwenden",
      done: "Deine Adresse ist geändert.",
    },
    "email-undos": {
      title: "Das warst nicht du?",
      text: "Die alte Adresse bleibt oder kommt zurück, alle Sitzungen enden, und das Passwort gilt nicht mehr.",
      button: "Änderung rückgängig machen",
      done: "Sie ist rückgängig gemacht. Wähle ein neues Passwort mit dem Link, den wir dir gerade geschickt haben.",
    },
    sessions: {
      title: "Anmelden",
      text: "Melde dich auf diesem Gerät an.",
      button: "Anmelden",
      done: "Du bist angemeldet.",
    },
    invitations: {
      title: "Du bist eingeladen",
      text: "Wähle ein Passwort für dein Konto hier. Wenn du schon eines hast, bekommt es dieses Passwort, und seine Sitzungen enden.",
      button: "Einladung annehmen",
      done: "Dein Konto ist bereit. Melde dich mit dieser Adresse und deinem Passwort an.",
    },
  },
}

/** Where a password is chosen. */
const withPassword = new Set<LinkKind>(["password-resets", "invitations"])

const common: Readonly<Record<Locale, { readonly password: string; readonly failed: string }>> = {
  en: { password: "New password", failed: "This link is not valid, or not any more." },
  de: { password: "Neues Passwort", failed: "Dieser Link gilt nicht oder nicht mehr." },
}

const script = `const token = location.hash.slice(1)
history.replaceState(null, "", location.pathname)
const form = document.querySelector("form")
form.addEventListener("submit", async (event) => {
  event.preventDefault()
  const password = form.elements.namedItem("password")
  const body = JSON.stringify({ token, ...(password && { password: password.value }) })
  const headers = { "content-type": "application/json" }
  const answer = await fetch(form.dataset.endpoint, { method: "POST", headers, body }).catch(() => null)
  const problem = answer?.status === 400 ? await answer.json() : null
  const output = document.querySelector("output")
  output.textContent = answer?.ok ? form.dataset.done : (problem?.detail ?? form.dataset.failed)
  if (answer?.ok) form.remove()
})
`

const scriptHash = createHash("sha256").update(script).digest("base64")

/** Runs this script, calls this deployment, and nothing else. */
export const linkPagePolicy = `${pagePolicy}; script-src 'sha256-${scriptHash}'; connect-src 'self'; form-action 'none'`

/** A page without any data: the same for everybody, whatever link they hold. */
export function linkPage(kind: LinkKind, locale: Locale): string {
  const t = words[locale][kind]
  const { password, failed } = common[locale]
  const passwordField =
    withPassword.has(kind) &&
    html`<p><label>${password}<br><input type="password" name="password" autocomplete="new-password" minlength="8" required></label></p>`
  const inline: Html = { html: `<script type="module">${script}</script>` }
  return html`<!doctype html>
<html lang="${locale}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${t.title}</title>
${pageStyle}
</head>
<body>
<main class="narrow">
<h1>${t.title}</h1>
<form data-endpoint="${endpoints[kind]}" data-done="${t.done}" data-failed="${failed}">
<p>${t.text}</p>
${passwordField}
<button>${t.button}</button>
</form>
<p><output></output></p>
</main>
${inline}
</body>
</html>
`.html
}
