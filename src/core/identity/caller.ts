import { clientAddress } from "../../platform/rate-limit.ts"

/** Where a sign-in comes from. */
export interface Caller {
  readonly address: string
  readonly userAgent: string | null
}

export const callerOf = (request: Request): Caller => ({
  address: clientAddress(request),
  userAgent: request.headers.get("user-agent"),
})
