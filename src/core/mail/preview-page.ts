import { type Html, html } from "../../platform/html.ts"
import { pageStyle } from "./page-style.ts"
import type { StoredMail } from "./stored-mail.ts"
import { type MailTemplate, type Rendered, samplesOf } from "./template.ts"

/** What the templates make of their samples, and what the outbox holds. Needs no network, and runs no script. */
export function previewPage(
  templates: readonly MailTemplate[],
  outbox: readonly StoredMail[],
): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Mail preview</title>
${pageStyle}
</head>
<body>
<main>
<h1>Mail preview</h1>
<p class="quiet">In development only: each template with its sample, and what the outbox holds.</p>
<nav aria-label="Contents">${templates.map(({ name }) => html`<a href="#template-${name}">${name}</a>`)}<a href="#outbox">Outbox</a></nav>
${templates.map(templateSection)}
<h2 id="outbox">Outbox</h2>
${outbox.length ? outbox.map(stored) : html`<p class="quiet">No mail has been caused yet.</p>`}
</main>
</body>
</html>
`.html
}

const templateSection = (
  template: MailTemplate,
): Html => html`<h2 id="template-${template.name}">${template.name}</h2>
${samplesOf(template).map(
  (
    mail,
  ) => html`<article class="mail"><header><span class="subject">${mail.subject}</span> <span class="tag">${mail.locale}</span></header>
${sides(mail)}</article>`,
)}`

const stored = (
  mail: StoredMail,
): Html => html`<details class="mail"><summary><span class="subject">${mail.subject}</span>
<span class="tag">${mail.address ?? `user ${mail.recipient}`}</span> <span class="tag">${mail.template}</span> <span class="tag">${mail.state}</span> <time class="tag" datetime="${mail.createdAt}">${mail.createdAt}</time></summary>
${mail.error && html`<p class="quiet" style="padding:0 1rem">${mail.error}</p>`}
${mail.html ? sides(mail) : html`<p class="quiet" style="padding:0 1rem">It has been sent, and its text is not kept.</p>`}</details>`

/** The HTML as a mail program would show it: no script, no form, links in a window of their own. */
const sides = ({ subject, text, html: body }: Rendered): Html =>
  html`<div class="sides"><iframe sandbox="allow-popups allow-popups-to-escape-sandbox" referrerpolicy="no-referrer" loading="lazy" title="${subject}" srcdoc="${body}"></iframe><pre>${text}</pre></div>`
