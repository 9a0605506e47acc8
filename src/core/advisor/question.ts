/**
 * What a page, a program or a route of the product's own asks, so that `npm run advise` can weigh it. Texts are those of
 * the API; `{films}` in one stands for the id of a film.
 */
export interface TypicalQuery {
  readonly collection: string
  /** Parameters of `GET /records/{collection}`. */
  readonly query: Readonly<Record<string, string>>
  /** Who asks: anybody, whoever owns records, a member of an organisation, the product's own code. `anonymous` unless told. */
  readonly as?: "anonymous" | "owner" | "member" | "system"
}
