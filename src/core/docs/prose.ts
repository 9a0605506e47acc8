import { type Html, html } from "../../platform/html.ts"

/** A text of ours with `code` in backquotes and addresses of this reference, as paragraphs. */
export const prose = (text: string): Html =>
  html`${text.split("\n\n").map((paragraph) => html`<p>${inline(paragraph)}</p>`)}`

/** The same within a line. */
export const inline = (text: string): Html =>
  html`${text
    .split(/(`[^`]*`|\/docs#[a-z]+)/)
    .map((part) =>
      part.startsWith("`")
        ? html`<code>${part.slice(1, -1)}</code>`
        : part.startsWith("/docs#")
          ? html`<a href="${part.slice("/docs".length)}">${part.slice("/docs#".length)}</a>`
          : part,
    )}`
