import type { Resolve } from "./outbound-address.ts"
import { Problem } from "./problem.ts"

/*
 * Names by DNS over HTTPS, because workerd has no resolver of its own: messages of DNS, as they are, posted to a resolver.
 * What is not understood to the last byte is no answer, so that nobody is sent where it is not known what stands there.
 * @see https://www.rfc-editor.org/rfc/rfc8484 and RFC 1035, 4.1
 */

const resolver = "https://cloudflare-dns.com/dns-query"
const timeoutMilliseconds = 5_000
const mediaType = "application/dns-message"
/** Of one message over TCP, which is what DNS calls the longest. */
const longestBytes = 65_535

const types = { A: 1, AAAA: 28 } as const
const internet = 1
const headerBytes = 12
/** Of the second word of a header. */
const flags = { response: 0x8000, truncated: 0x0200, recursionDesired: 0x0100, code: 0x000f }
const noSuchName = 3

interface Where {
  readonly url?: string
  readonly timeout?: number
}

/** Addresses of a name, IPv4 and IPv6, those of the names that it stands for (CNAME) too. Throws when nobody can say. */
export const resolverAt =
  ({ url = resolver, timeout = timeoutMilliseconds }: Where = {}): Resolve =>
  async (hostname) => {
    const ask = async (type: number) => {
      const response = await fetch(url, {
        method: "POST",
        headers: { accept: mediaType, "content-type": mediaType },
        body: questionFor(hostname, type),
        redirect: "manual",
        signal: AbortSignal.timeout(timeout),
      })
      const bytes = new Uint8Array(await response.arrayBuffer())
      const kind = response.headers.get("content-type")?.split(";")[0]?.trim()
      if (response.status !== 200 || kind !== mediaType || bytes.length > longestBytes) {
        throw unanswered(`status ${response.status}, ${kind}`)
      }
      return addressesIn(bytes, type)
    }
    return (await Promise.all([ask(types.A), ask(types.AAAA)])).flat()
  }

export const resolveByHttps: Resolve = resolverAt()

const unanswered = (why: string): Problem =>
  new Problem("internal", { cause: new Error(`DNS over HTTPS: ${why}`) })

/** With the id 0, so that answers can be cached (RFC 8484, 4.1). */
function questionFor(hostname: string, type: number): Uint8Array<ArrayBuffer> {
  const labels = hostname.split(".").map((label) => new TextEncoder().encode(label))
  const wrong = labels.some(({ length }) => length === 0 || length > 63)
  if (wrong || hostname.length > 253) throw unanswered("no name of DNS")
  const name = labels.flatMap((label) => [label.length, ...label])
  const { recursionDesired } = flags
  const header = [0, 0, recursionDesired >> 8, 0, 0, 1, 0, 0, 0, 0, 0, 0]
  return new Uint8Array([...header, ...name, 0, 0, type, 0, internet])
}

/** Those of one type. Throws for what is no answer, and for one that says that nobody knows. */
function addressesIn(bytes: Uint8Array<ArrayBuffer>, wanted: number): string[] {
  try {
    const view = new DataView(bytes.buffer)
    const said = view.getUint16(2)
    if (!(said & flags.response) || said & flags.truncated) throw new Error("no whole answer")
    const code = said & flags.code
    // With 0 and 3 the resolver knows; with all else, nobody can say.
    if (code === noSuchName) return []
    if (code !== 0) throw new Error(`code ${code}`)
    let at = headerBytes
    for (let left = view.getUint16(4); left > 0; left--) at = nameEnd(view, at) + 4
    if (at > bytes.length) throw new Error("it ends too early")
    const addresses: string[] = []
    for (let left = view.getUint16(6); left > 0; left--) {
      at = nameEnd(view, at)
      const [type, kind, length] = [
        view.getUint16(at),
        view.getUint16(at + 2),
        view.getUint16(at + 8),
      ]
      at += 10
      if (at + length > bytes.length) throw new Error("it ends too early")
      if (type === wanted && kind === internet) {
        addresses.push(addressOf(new DataView(bytes.buffer, at, length), type))
      }
      at += length
    }
    return addresses
  } catch (error) {
    throw unanswered(error instanceof Error ? error.message : String(error))
  }
}

/** Where a name ends that begins there: with an empty label, or a pointer to the rest of it. */
function nameEnd(view: DataView, begin: number): number {
  let at = begin
  for (;;) {
    const length = view.getUint8(at)
    if (length >= 0xc0) return at + 2
    if (length > 63) throw new Error("no name")
    at += length + 1
    if (length === 0) return at
  }
}

function addressOf(data: DataView, type: number): string {
  const bytes = type === types.A ? 4 : 16
  if (data.byteLength !== bytes) throw new Error("no address")
  if (type === types.A) {
    return Array.from({ length: 4 }, (_, i) => data.getUint8(i)).join(".")
  }
  return Array.from({ length: 8 }, (_, i) => data.getUint16(2 * i).toString(16)).join(":")
}
