/*
 * Where the deployment may be sent by somebody's address: to public hosts, by https. An address is read as `fetch` reads
 * it (WHATWG), so that every other notation of a number (decimal, octal, hex, short, full-width digits) has become the
 * usual one before it is looked at; of IPv6 only global unicast passes, which leaves out what is mapped, compatible,
 * translated (NAT64) or tunnelled (6to4, Teredo). Names are resolved, and what they resolve to is looked at, each time
 * something is sent. `fetch` resolves them once more by itself: against a name that answers differently within that
 * moment there is only that Cloudflare's `fetch` reaches no private network. Redirects are for whoever fetches to refuse.
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry/ and its sister for IPv6
 */

/** The addresses (A and AAAA) of a name; none when it has none. Throws when nobody can say. */
export type Resolve = (hostname: string) => Promise<readonly string[]>

/** What is wrong with where an address leads; null when nothing is. */
export type AddressRefusal = "invalid" | "scheme" | "credentials" | "port" | "host" | "private"

export const addressRefusals: Readonly<Record<AddressRefusal, string>> = {
  invalid: "is no address",
  scheme: "has to begin with https://",
  credentials: "may not hold a name or a password",
  port: "may name port 443, or one from 1024 on",
  host: "has to lead to a public host with a full name",
  private: "leads to a private or reserved address",
}

/** By the text alone; with `loopback`, this machine is allowed, by http too. No I/O. */
export function refusalOf(
  text: string,
  { loopback }: { loopback: boolean },
): AddressRefusal | null {
  if (text.length > maxCharacters || !URL.canParse(text)) return "invalid"
  const url = new URL(text)
  if (url.protocol !== "https:" && url.protocol !== "http:") return "scheme"
  if (url.username !== "" || url.password !== "") return "credentials"
  const host = hostOf(url)
  if (loopback && isThisMachine(host)) return null
  if (url.protocol !== "https:") return "scheme"
  const port = Number(url.port || 443)
  // Nobody is to speak to a mail server or a shell through us.
  if (port !== 443 && port < 1024) return "port"
  if (isLiteral(host)) return isPublicAddress(host) ? null : "private"
  return isPublicName(host) ? null : "host"
}

/**
 * The same with what the name resolves to now: to be asked each time before something is sent there.
 *
 * @throws whatever `resolve` throws: then nobody knows, and nothing may be sent
 */
export async function refusalNow(
  text: string,
  { loopback, resolve }: { loopback: boolean; resolve: Resolve },
): Promise<AddressRefusal | null> {
  const refusal = refusalOf(text, { loopback })
  if (refusal !== null) return refusal
  const host = hostOf(new URL(text))
  if (isLiteral(host) || (loopback && isThisMachine(host))) return null
  const addresses = await resolve(host)
  if (addresses.length === 0) return "host"
  return addresses.every(isPublicAddress) ? null : "private"
}

const maxCharacters = 2_000

/** Without the brackets of IPv6, and the dot that ends a name. */
const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$|\.+$/g, "")

const isLiteral = (host: string): boolean => host.includes(":") || /^[\d.]+$/.test(host)

const isThisMachine = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host)

/** Of what never leads to a public host: RFC 6761, 6762, 8375, and what is in use. */
const privateSuffixes =
  /(?:^|\.)(?:localhost|local|localdomain|internal|intranet|private|corp|home|lan|arpa|onion|alt|test|example|invalid)$/

const isPublicName = (host: string): boolean => host.includes(".") && !privateSuffixes.test(host)

/** True for an IPv4 or IPv6 address, in text, that anybody in the world means the same host by. */
export function isPublicAddress(address: string): boolean {
  const text = address.toLowerCase().split("%")[0] as string
  return text.includes(":") ? isPublicV6(text) : isPublicV4(text)
}

/** First address of each block, and how many bits belong to it. */
const reservedV4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["168.63.129.16", 32],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
]

function isPublicV4(text: string): boolean {
  const number = numberOfV4(text)
  if (number === null) return false
  return !reservedV4.some(([first, bits]) => {
    const size = 2 ** (32 - bits)
    return Math.floor(number / size) === Math.floor((numberOfV4(first) as number) / size)
  })
}

function numberOfV4(text: string): number | null {
  const parts = text.split(".").map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256))
  if (parts.length !== 4 || parts.some((part) => part > 255)) return null
  return parts.reduce((sum, part) => sum * 256 + part, 0)
}

/** Global unicast (2000::/3), without protocol assignments and Teredo (2001::/23), 6to4, documentation. */
function isPublicV6(text: string): boolean {
  if (!URL.canParse(`http://[${text}]/`)) return false
  const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1)
  const [first = 0, second = 0] = groupsOf(canonical)
  if (first < 0x2000 || first > 0x3fff) return false
  if (first === 0x2001) return second >= 0x200 && second !== 0xdb8
  return first !== 0x2002 && !(first === 0x3fff && second < 0x1000)
}

/** The first two groups are all that is asked for. */
function groupsOf(canonical: string): number[] {
  const [head = ""] = canonical.split("::")
  return head.split(":").map((group) => Number.parseInt(group || "0", 16))
}
