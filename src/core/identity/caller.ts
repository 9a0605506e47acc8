/** Where a sign-in comes from. */
export interface Caller {
  readonly address: string
  readonly userAgent: string | null
}
