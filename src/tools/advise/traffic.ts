import * as z from "zod"
import { dollarsFor } from "../../core/advisor/price.ts"

/** As much of `GET /metrics` as the bill depends on. */
const report = z.object({
  from: z.string(),
  to: z.string(),
  routes: z.array(
    z.object({
      method: z.string(),
      route: z.string(),
      requests: z.number(),
      rowsRead: z.number(),
      rowsWritten: z.number(),
    }),
  ),
})
export type Traffic = z.infer<typeof report>

const monthMilliseconds = 30 * 24 * 60 * 60 * 1000

/**
 * What a deployment has counted in the last thirty days, or since it counts.
 *
 * @param token an API key of an administrator with the scope `metrics:read`, or their access token
 */
export async function readTraffic(url: string, token: string, now = Date.now()): Promise<Traffic> {
  const address = new URL("/metrics", url)
  address.searchParams.set("from", new Date(now - monthMilliseconds).toISOString())
  address.searchParams.set("step", "hour")
  const response = await fetch(address, { headers: { authorization: `Bearer ${token}` } })
  if (!response.ok) {
    throw new Error(
      `${address.origin}/metrics answered ${response.status}: give an administrator's API key with the scope metrics:read in ADVISE_TOKEN.`,
    )
  }
  return report.parse(await response.json())
}

/** The bill of a month by route, the dearest first, as if nothing were included. */
export function trafficText({ from, to, routes }: Traffic): string {
  const share = monthMilliseconds / Math.max(1, Date.parse(to) - Date.parse(from))
  const lines = routes
    .map(({ method, route, requests, rowsRead, rowsWritten }) => ({
      dollars: share * (dollarsFor("rowsRead", rowsRead) + dollarsFor("rowsWritten", rowsWritten)),
      text: `${method} ${route}: ${requests.toLocaleString("en")} requests, ${Math.round(rowsRead / Math.max(1, requests)).toLocaleString("en")} rows read each`,
    }))
    .sort((a, b) => b.dollars - a.dollars)
    .slice(0, 20)
  const total = lines.reduce((sum, { dollars }) => sum + dollars, 0)
  return [
    `As counted from ${from} to ${to}, a month would cost, beyond what the plan includes:`,
    ...lines.map(({ dollars, text }) => `  $${dollars.toFixed(2)}  ${text}`),
    `  $${total.toFixed(2)}  together`,
  ].join("\n")
}
