import * as shapes from "./metrics-schema.ts"
import { metricsQuery, metricsReport } from "./metrics-schema.ts"
import { keptDays } from "./metrics-step.ts"
import { badAnySession, type DocumentedModule } from "./operation.ts"

export const metricsDocs: DocumentedModule = {
  tag: "metrics",
  description: "Counters of the deployment, for its administrators.",
  operations: [
    {
      method: "get",
      path: "/metrics",
      operationId: "getMetrics",
      summary: "Requests, errors, latencies, rows, jobs, mails and sign-ins",
      description: `By minute and by hour, by route and by organisation, kept for ${keptDays} days. Each isolate of the deployment sends what it has counted every few seconds. On Cloudflare the clock stands still while a worker computes, so latencies are times spent waiting for databases and other services. As Prometheus text: totals since the beginning, by route, job and template, and in metrics of their own (\`hinterland_organisation_…\`) by organisation.`,
      auth: "administrator",
      query: metricsQuery,
      responses: {
        200: {
          description: "What was counted.",
          schema: metricsReport,
          texts: ["text/plain"],
        },
      },
      problems: [...badAnySession, "forbidden", "invalid_input", "not_found"],
    },
  ],
  shapes,
}
