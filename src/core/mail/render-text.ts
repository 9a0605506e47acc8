import { catalogue } from "./catalogue.ts"
import type { Block, Content } from "./content.ts"
import type { Locale } from "./locale.ts"
import { unsubscribePlaceholder } from "./unsubscribe-link.ts"

/** The mail for those who read text. Long lines stay long: they are folded on the way, and unfolded. */
export function renderText({ blocks }: Content, locale: Locale, subscribed: boolean): string {
  const t = catalogue[locale]
  const footer = subscribed
    ? [t.automatic, `${t.unsubscribe}:\n${unsubscribePlaceholder}`]
    : [t.automatic]
  return `${[...blocks.map(textOf), `-- \n${footer.join("\n")}`].join("\n\n")}\n`
}

function textOf(block: Block): string {
  switch (block.kind) {
    case "heading":
    case "paragraph":
    case "smallPrint":
      return block.text
    case "code":
      return `    ${block.text}`
    case "list":
      return block.items.map((item) => `- ${item}`).join("\n")
    case "button":
      return `${block.label}:\n${block.url}`
  }
}
