import { type Html, html } from "../../platform/html.ts"
import { catalogue } from "./catalogue.ts"
import type { Block, Content } from "./content.ts"
import type { Locale } from "./locale.ts"
import { unsubscribePlaceholder } from "./unsubscribe-link.ts"

/*
 * HTML for programs that know little of it: tables for layout, styles on the elements, no image, no script, no font from
 * elsewhere. The style element only adds the dark colours, where it is understood.
 */

const font =
  "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
const body = `${font};font-size:16px;line-height:1.55;color:#24211d`

const dark = {
  html: `<style>
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (prefers-color-scheme: dark) {
  .ground { background: #181715 !important; }
  .card { background: #211f1c !important; border-color: #37332d !important; }
  .text { color: #e9e4db !important; }
  .quiet { color: #a39b8e !important; }
  .code { background: #2a2723 !important; color: #e9e4db !important; }
  .link { color: #e8a06f !important; }
}
</style>`,
} satisfies Html

/** A whole document. Every value in it is escaped, because `html` escapes whatever it is given. */
export function renderHtml(
  { subject, preheader, blocks }: Content,
  locale: Locale,
  subscribed: boolean,
): string {
  const t = catalogue[locale]
  const unsubscribe = html`<br><a class="link" href="${unsubscribePlaceholder}" target="_blank" rel="noopener" style="color:#8a3b12">${t.unsubscribe}</a>`
  return html`<!doctype html>
<html lang="${locale}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${subject}</title>
${dark}
</head>
<body class="ground" style="margin:0;padding:0;background:#f4f1ec">
${preheader ? html`<div style="display:none;max-height:0;overflow:hidden;opacity:0">${preheader}</div>` : null}
<table role="presentation" class="ground" width="100%" cellpadding="0" cellspacing="0" border="0" style="background:#f4f1ec">
<tr><td align="center" style="padding:32px 12px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:560px">
<tr><td class="card" align="left" style="background:#ffffff;border:1px solid #e2ddd4;border-radius:12px;padding:32px">
${blocks.map((block) => htmlOf(block, t.buttonHint))}
</td></tr>
<tr><td class="quiet" align="left" style="${font};font-size:13px;line-height:1.5;color:#6b645a;padding:16px 32px">${t.automatic}${subscribed && unsubscribe}</td></tr>
</table>
</td></tr>
</table>
</body>
</html>
`.html
}

function htmlOf(block: Block, buttonHint: string): Html {
  switch (block.kind) {
    case "heading":
      return html`<h1 class="text" style="${font};font-size:22px;line-height:1.3;font-weight:650;color:#24211d;margin:0 0 16px">${block.text}</h1>
`
    case "paragraph":
      return html`<p class="text" style="${body};margin:0 0 16px">${lines(block.text)}</p>
`
    case "smallPrint":
      return html`<p class="quiet" style="${font};font-size:13px;line-height:1.5;color:#6b645a;margin:0 0 12px">${block.text}</p>
`
    case "code":
      return html`<p class="text code" style="font-family:ui-monospace,Menlo,Consolas,monospace;font-size:28px;letter-spacing:4px;text-align:center;background:#efebe4;color:#24211d;border-radius:8px;padding:16px;margin:0 0 16px">${block.text}</p>
`
    case "list":
      return html`<ul class="text" style="${body};margin:0 0 16px;padding:0 0 0 22px">${block.items.map((item) => html`<li style="margin:0 0 4px">${item}</li>`)}</ul>
`
    case "button":
      return html`<table role="presentation" cellpadding="0" cellspacing="0" border="0" style="margin:8px 0 16px"><tr><td bgcolor="#8a3b12" style="border-radius:8px"><a href="${block.url}" target="_blank" rel="noopener" style="${font};display:inline-block;padding:12px 24px;font-size:16px;font-weight:600;color:#ffffff;text-decoration:none">${block.label}</a></td></tr></table>
<p class="quiet" style="${font};font-size:13px;line-height:1.5;color:#6b645a;margin:0 0 16px;overflow-wrap:anywhere;word-break:break-word">${buttonHint}<br><a class="link" href="${block.url}" target="_blank" rel="noopener" style="color:#8a3b12">${block.url}</a></p>
`
  }
}

const lines = (text: string): Html =>
  html`${text.split("\n").map((line, i) => html`${i > 0 && html`<br>`}${line}`)}`
