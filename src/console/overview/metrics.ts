import { queryOptions } from "@tanstack/react-query"
import { pathWith, read } from "../backend.ts"

export interface Figures {
  readonly requests: number
  readonly clientErrors: number
  readonly serverErrors: number
  readonly p50Milliseconds: number | null
  readonly p95Milliseconds: number | null
  readonly p99Milliseconds: number | null
  readonly rowsRead: number
  readonly rowsWritten: number
}

export interface Counted extends Figures {
  readonly jobs: Readonly<Record<"succeeded" | "failed" | "dead" | "cancelled", number>>
  readonly mails: Readonly<Record<"sent" | "failed" | "suppressed" | "uncertain", number>>
  readonly signIns: Readonly<Record<"succeeded" | "failed", number>>
}

export interface Report {
  readonly from: string
  readonly to: string
  readonly total: Counted
  readonly steps: readonly (Counted & { readonly at: string })[]
  readonly routes: readonly (Figures & { readonly method: string; readonly route: string })[]
  readonly organisations: readonly (Figures & { readonly organisation: string | null })[]
}

export const ranges = {
  hour: { hours: 1, step: "minute" },
  day: { hours: 24, step: "hour" },
  month: { hours: 30 * 24, step: "hour" },
} as const

export type RangeName = keyof typeof ranges

/** What the deployment counted in the last hour, day or month; asked for again every fifteen seconds. */
export const metricsQuery = (name: RangeName) => {
  const { hours, step } = ranges[name]
  return queryOptions({
    queryKey: ["metrics", name],
    queryFn: () =>
      read<Report>(
        pathWith("/metrics", {
          format: "json",
          step,
          from: new Date(Date.now() - hours * 3_600_000).toISOString(),
        }),
      ),
    refetchInterval: 15_000,
  })
}
