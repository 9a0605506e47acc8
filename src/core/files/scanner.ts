import { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import type { App } from "../../platform/app.ts"
import { integrationsFor } from "../integrations/call.ts"
import { integration } from "../integrations/integration.ts"
import { maxTimeoutSeconds } from "../jobs/job.ts"

/** Whoever looks for malware in files. */
export interface Scanner {
  /**
   * @param content all of it, as often as it is asked for
   * @param sizeBytes of it
   * @throws {Problem} when nobody can say now
   */
  scan(
    content: () => Promise<ReadableStream<Uint8Array>>,
    sizeBytes: number,
    signal: AbortSignal,
  ): Promise<Verdict>
}

/** `unknown` is of what a scanner will not look at, however often it is asked, such as what is too large for it. */
export type Verdict = "clean" | "infected" | "unknown"

/** The deployment's; null where it has none. */
export function scannerOf(app: App): Scanner | null {
  const { driver, url } = app.settings.files.scanner
  switch (driver) {
    case "off":
      return null
    case "eicar":
      return testScanner
    case "http":
      return httpScanner(app, url as string)
  }
}

/** SHA-256 of the 68 characters that every scanner takes for malware, and that are none: here they would be found, too. */
const eicar = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"

/**
 * Knows the test file of EICAR, and nothing else: to try out what becomes of a file with malware.
 * @see https://www.eicar.org/download-anti-malware-testfile/
 */
const testScanner: Scanner = {
  async scan(content) {
    let start = Buffer.alloc(0)
    for await (const chunk of await content()) {
      start = Buffer.concat([start, chunk])
      if (start.length > 128) break
    }
    const isEicar = createHash("sha256").update(start.subarray(0, 68)).digest("hex") === eicar
    return isEicar && start.length <= 128 ? "infected" : "clean"
  },
}

/** As long as a job may take, almost. At 5 MB/s that is for 2.9 GB. */
const timeoutOf = (sizeBytes: number): number =>
  Math.min(maxTimeoutSeconds - 20, 240 + Math.ceil(sizeBytes / 5_000_000))

/**
 * Sends the content as a body, as `clamav-rest` takes it at `/scanHandlerBody`: 200 says that it is clean, 406 that it is
 * infected.
 * @see https://github.com/ajilach/clamav-rest
 */
function httpScanner(app: App, url: string): Scanner {
  const token = app.settings.secretNamed("FILE_SCANNER_TOKEN")
  const service = (sizeBytes: number) =>
    integration("malware scanner", {
      hosts: [new URL(url).hostname],
      timeoutSeconds: timeoutOf(sizeBytes),
      ...(token !== null && {
        secrets: { authorization: { name: "FILE_SCANNER_TOKEN", prefix: "Bearer " } },
      }),
    })
  return {
    async scan(content, sizeBytes, signal) {
      const headers = { "content-type": "application/octet-stream" }
      const call = { method: "POST", url, headers, body: content, signal } as const
      const { status } = await integrationsFor(app).call(service(sizeBytes), call)
      if (status === 200) return "clean"
      if (status === 406) return "infected"
      if (status === 413 || status === 422) return "unknown"
      throw new Error(`The malware scanner answered ${status}.`)
    },
  }
}
