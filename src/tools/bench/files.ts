import { type BulkFigure, measure, type Ran } from "./bulk.ts"
import type { BenchDeployment } from "./deployment.ts"

const megabytes = 32

/**
 * A file of 32 MB, sent and read, one at a time: by the backend, which looks at it, hashes it and writes down what it is,
 * beside a handler that hands the body to R2, and R2's to the caller. Files a second are told as requests a second.
 */
export async function measureFiles({
  ours,
  bare,
  probe,
  signIn,
}: BenchDeployment): Promise<BulkFigure[]> {
  const headers = { authorization: `Bearer ${await signIn()}` }
  const body = new Uint8Array(megabytes * 1_000_000).map((_, i) => (i * 7) % 251)
  const sent: string[] = []
  const send = async (origin: string): Promise<Ran> => {
    const ran = await timed(`${origin}/files`, { method: "POST", headers, body })
    sent.push((JSON.parse(new TextDecoder().decode(ran.bytes)) as { id: string }).id)
    return ran
  }
  const upload = await measure("upload", {
    ours: () => send(ours),
    bare: () => timed(`${bare}/files/bare`, { method: "POST", body }),
    probe: () => send(probe),
  })
  const path = `/files/${sent[0]}`
  const download = await measure("download", {
    ours: () => timed(ours + path, { headers }),
    bare: () => timed(`${bare}/files/bare`),
    probe: () => timed(probe + path, { headers }),
  })
  await Promise.all(sent.map((id) => fetch(`${ours}/files/${id}`, { method: "DELETE", headers })))
  return [upload, download].map((figure) => ({
    title: `${figure.name}, ${Math.round(figure.requestsPerSecond * megabytes)} MB/s (files)`,
    target: 0.8,
    figure,
  }))
}

async function timed(url: string, init?: RequestInit): Promise<Ran & { bytes: Uint8Array }> {
  const started = performance.now()
  const response = await fetch(url, init)
  const bytes = new Uint8Array(await response.arrayBuffer())
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  const timing = response.headers.get("server-timing") ?? ""
  return { seconds: (performance.now() - started) / 1_000, timing, bytes }
}
