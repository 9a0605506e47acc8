import { filmArrivals } from "./film-arrivals.ts"

/** What other services may tell this deployment. */
export const hooks = [filmArrivals] as const
