import { html } from "../../platform/html.ts"
import { catalogue } from "./catalogue.ts"
import { pageStyle } from "./page-style.ts"
import type { Unsubscription } from "./unsubscribe-link.ts"

/**
 * Asks, because programs that look after mailboxes open links by themselves; the button sends the same address again.
 * Done: says so.
 */
export function unsubscribePage({ list, locale }: Unsubscription, done: boolean): string {
  const t = catalogue[locale]
  const title = done ? t.unsubscribedTitle : t.unsubscribeTitle
  return html`<!doctype html>
<html lang="${locale}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
${pageStyle}
</head>
<body>
<main class="narrow">
<h1>${title}</h1>
${
  done
    ? html`<p>${t.unsubscribed(list)}</p>`
    : html`<p>${t.unsubscribeQuestion(list)}</p>
<form method="post"><button>${t.unsubscribeButton}</button></form>`
}
</main>
</body>
</html>
`.html
}
