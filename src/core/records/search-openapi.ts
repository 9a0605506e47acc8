import * as z from "zod"
import { badAnySession, type DocumentedModule } from "../../platform/operation.ts"
import { maxSearchCharacters } from "./query.ts"
import { defaultHits, maxHits } from "./search-everywhere.ts"

const searchQuery = z.object({
  q: z
    .string()
    .min(1)
    .max(maxSearchCharacters)
    .describe("Words that must all occur in a record; the last one may be a beginning."),
  collections: z
    .string()
    .optional()
    .describe("Names of collections, with commas. All that have full-text search, unless told."),
  limit: z
    .int()
    .min(1)
    .max(maxHits)
    .default(defaultHits)
    .describe("How many matches are answered, of all collections together."),
})

const part = z.object({
  text: z.string(),
  match: z.literal(true).optional().describe("Present where this is a word that was found."),
})

const searchHits = z.object({
  items: z.array(
    z.object({
      collection: z.string(),
      rank: z.number().describe("How well it matches, above 0, on one scale for all collections."),
      highlights: z
        .record(z.string(), z.array(part))
        .describe(
          "By field: the text around the words that were found, in parts. Plain text, never HTML: show it as text, and what has `match` in a `<mark>` of your own.",
        ),
      record: z
        .record(z.string(), z.unknown())
        .describe("The record, as a list of its collection answers it."),
    }),
  ),
})

/** `GET /search`, described. */
export const searchDocs: DocumentedModule = {
  tag: "search",
  description: "Words, in several collections at once.",
  operations: [
    {
      method: "get",
      path: "/search",
      operationId: "searchAll",
      summary: "Search several collections",
      description:
        "The best matches first. Only records and fields that you may read are looked at, and a field that some of its records hide from you is not searched. For all matches in one collection, page through its list with `search`.",
      auth: "either",
      query: searchQuery,
      responses: { 200: { description: "What was found.", schema: searchHits } },
      problems: ["invalid_input", ...badAnySession],
    },
  ],
  shapes: { searchQuery, searchHits },
}
