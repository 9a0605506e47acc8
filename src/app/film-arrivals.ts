import * as z from "zod"
import { inboundHook } from "../core/inbound/hook.ts"
import { standardWebhooks } from "../core/inbound/schemes/standard-webhooks.ts"
import { films } from "./films.ts"

/** A distributor announces a film: at `POST /hooks/distributor`, signed as Standard Webhooks are. */
export const filmArrivals = inboundHook("distributor", {
  verify: standardWebhooks(),
  secrets: ["DISTRIBUTOR_SECRET", "DISTRIBUTOR_SECRET_NEXT"],
  payload: z.object({
    data: z.object({ title: z.string(), director: z.string().nullish() }),
  }),
  async apply({ payload, idFor }, { records }) {
    await records.ensure(films, await idFor("film"), payload.data)
  },
})
