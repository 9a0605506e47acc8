import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { load, makeRequest, median, percentile, takeTurns } from "../../src/tools/bench/load.ts"

let server: Server
let origin: string
const received: { method?: string; url?: string; authorization?: string; body: string }[] = []

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = ""
    request.on("data", (chunk) => {
      body += chunk
    })
    request.on("end", () => {
      const { method, url, headers } = request
      received.push({ ...(method && { method }), ...(url && { url }), ...headers, body })
      if (url === "/gone") response.statusCode = 404
      if (url !== "/chunked") response.setHeader("content-length", 300_000)
      response.write("a".repeat(150_000))
      setTimeout(() => response.end("b".repeat(150_000)), 1)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => server.close())

describe("the load", () => {
  test.for([["/whole"], ["/chunked"]] as const)("counts whole answers of %s", async ([path]) => {
    received.length = 0
    const requests = takeTurns([makeRequest(path)])
    const { answers, statuses, latencies } = await load(origin, requests, {
      connections: 3,
      seconds: 0.2,
    })
    expect(answers).toBeGreaterThan(3)
    expect(answers).toBe(received.length)
    expect(statuses).toEqual(new Map([[200, answers]]))
    expect(latencies).toHaveLength(answers)
  })

  test("sends no faster than it is told", async () => {
    const { answers } = await load(origin, takeTurns([makeRequest("/whole")]), {
      connections: 20,
      seconds: 0.5,
      requestsPerSecond: 40,
    })
    expect(answers).toBeLessThanOrEqual(21)
    expect(answers).toBeGreaterThan(2)
  })

  test("sends a body and a token as HTTP does, and takes turns", async () => {
    received.length = 0
    const post = makeRequest("/a", { method: "POST", token: "t", body: { name: "ü" } })
    const requests = takeTurns([post, makeRequest("/gone")])
    const { statuses } = await load(origin, requests, { connections: 1, seconds: 0.1 })
    expect(received.slice(0, 2)).toMatchObject([
      { method: "POST", url: "/a", authorization: "Bearer t", body: '{"name":"ü"}' },
      { method: "GET", url: "/gone", body: "" },
    ])
    expect(statuses.get(404)).toBeGreaterThan(0)
  })
})

test.for([
  [[1], 0.99, 1],
  [[3, 1, 2], 0.5, 2],
  [[1, 2, 3, 4], 0.99, 4],
  [[100, 9, 20], 0, 9],
] as const)("of %j, the percentile %d is %d", ([values, share, expected]) => {
  expect(percentile(values, share)).toBe(expected)
  if (share === 0.5) expect(median(values)).toBe(expected)
})
