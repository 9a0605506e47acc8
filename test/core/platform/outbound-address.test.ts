import { describe, expect, test } from "vitest"
import {
  type AddressRefusal,
  isPublicAddress,
  refusalNow,
  refusalOf,
} from "../../../src/platform/outbound-address.ts"
import { parseSettings } from "../../../src/platform/settings.ts"

const strict = { loopback: false }
const lenient = { loopback: true }

/** What is written, and why it is refused in production. */
const table: readonly (readonly [string, AddressRefusal | null])[] = [
  ["https://hooks.partner.com/in?x=1", null],
  ["https://hooks.partner.com:8443/", null],
  ["https://8.8.8.8/", null],
  ["https://[2606:4700::1111]/", null],
  ["https://xn--bcher-kva.de/", null],
  ["nonsense", "invalid"],
  ["https://", "invalid"],
  ["https://[fe80::1%25eth0]/", "invalid"],
  ["https://1.2.3.4.5/", "invalid"],
  [`https://a.com/${"x".repeat(2_000)}`, "invalid"],
  ["ftp://partner.com/", "scheme"],
  ["http://partner.com/", "scheme"],
  ["http://127.0.0.1/", "scheme"],
  ["javascript:alert(1)", "scheme"],
  ["https://user@partner.com/", "credentials"],
  ["https://user:secret@partner.com/", "credentials"],
  ["https://partner.com@127.0.0.1/", "credentials"],
  ["https://partner.com:25/", "port"],
  ["https://partner.com:22/", "port"],
  ["https://partner.com:80/", "port"],
  ["https://localhost/", "host"],
  ["https://LOCALHOST./", "host"],
  ["https://a.localhost/", "host"],
  ["https://metadata.google.internal/", "host"],
  ["https://printer.local/", "host"],
  ["https://router/", "host"],
  ["https://1.0.0.127.in-addr.arpa/", "host"],
  ["https://127.0.0.1/", "private"],
  ["https://127.0.0.1./", "private"],
  ["https://127.1/", "private"],
  ["https://127.255.255.254/", "private"],
  ["https://2130706433/", "private"],
  ["https://0x7f000001/", "private"],
  ["https://0x7f.0.0.1/", "private"],
  ["https://017700000001/", "private"],
  ["https://0177.0.0.1/", "private"],
  ["https://１２７.０.０.１/", "private"],
  ["https://127。0。0。1/", "private"],
  ["https://%31%32%37.0.0.1/", "private"],
  ["https://0/", "private"],
  ["https://0.0.0.0/", "private"],
  ["https://10.1.2.3/", "private"],
  ["https://100.100.100.200/", "private"],
  ["https://168.63.129.16/", "private"],
  ["https://169.254.169.254/latest/meta-data/", "private"],
  ["https://2852039166/", "private"],
  ["https://0xA9FEA9FE/", "private"],
  ["https://172.16.0.1/", "private"],
  ["https://172.31.255.255/", "private"],
  ["https://192.0.0.192/", "private"],
  ["https://192.168.1.1/", "private"],
  ["https://198.18.0.1/", "private"],
  ["https://224.0.0.1/", "private"],
  ["https://255.255.255.255/", "private"],
  ["https://[::]/", "private"],
  ["https://[::1]/", "private"],
  ["https://[0:0:0:0:0:0:0:1]/", "private"],
  ["https://[::ffff:127.0.0.1]/", "private"],
  ["https://[::ffff:7f00:1]/", "private"],
  ["https://[::ffff:8.8.8.8]/", "private"],
  ["https://[::127.0.0.1]/", "private"],
  ["https://[64:ff9b::7f00:1]/", "private"],
  ["https://[64:ff9b:1::1]/", "private"],
  ["https://[2002:7f00:1::]/", "private"],
  ["https://[2001:0:4136:e378::1]/", "private"],
  ["https://[2001:db8::1]/", "private"],
  ["https://[3fff::1]/", "private"],
  ["https://[fc00::1]/", "private"],
  ["https://[fd00:ec2::254]/", "private"],
  ["https://[fe80::1]/", "private"],
  ["https://[fec0::1]/", "private"],
  ["https://[ff02::1]/", "private"],
  ["https://[100::1]/", "private"],
]

describe("an address that somebody names", () => {
  test.each(table)("%s: %s", (address, refusal) => {
    expect(refusalOf(address, strict)).toBe(refusal)
  })

  test.each([
    "http://127.0.0.1:8787/",
    "https://localhost/",
    "http://[::1]:1234/",
    "http://2130706433:80/",
  ])("%s is allowed by the development setting alone", async (address) => {
    expect(refusalOf(address, strict)).not.toBeNull()
    expect(refusalOf(address, lenient)).toBeNull()
    const resolve = () => Promise.reject(new Error("nobody is asked"))
    expect(await refusalNow(address, { loopback: true, resolve })).toBeNull()
  })

  test.each(
    table.filter(
      ([address, refusal]) =>
        refusal !== null &&
        !/127|2130706433|localhost|LOCALHOST|::1\]|:1\]|0x7f|01?77|１２７|%31/.test(address),
    ),
  )("the development setting allows nothing else: %s: %s", (address, refusal) => {
    expect(refusalOf(address, lenient)).toBe(refusal)
  })
})

describe("a name", () => {
  const answers: Readonly<Record<string, readonly string[]>> = {
    "good.com": ["93.184.216.34", "2606:2800:220:1::1"],
    "loop.com": ["127.0.0.1"],
    "mixed.com": ["93.184.216.34", "10.0.0.1"],
    "meta.com": ["169.254.169.254"],
    "mapped.com": ["::ffff:127.0.0.1"],
    "ula.com": ["fd12::1"],
    "strange.com": ["not an address"],
    "nobody.com": [],
  }
  const resolve = async (name: string) => answers[name] ?? []

  test.each([
    ["good.com", null],
    ["loop.com", "private"],
    ["mixed.com", "private"],
    ["meta.com", "private"],
    ["mapped.com", "private"],
    ["ula.com", "private"],
    ["strange.com", "private"],
    ["nobody.com", "host"],
  ])("is looked at by what it resolves to: %s: %s", async (name, refusal) => {
    for (const loopback of [true, false]) {
      expect(await refusalNow(`https://${name}./x`, { loopback, resolve })).toBe(refusal)
    }
  })

  test("that nobody can resolve is not called", async () => {
    const unable = () => Promise.reject(new Error("no resolver"))
    await expect(refusalNow("https://good.com/", { ...strict, resolve: unable })).rejects.toThrow()
  })

  test("resolves to what is public or not", () => {
    expect(["1.1.1.1", "2a00::1", "FE80::1%eth0", "1.1.1", ""].map(isPublicAddress)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ])
  })
})

test("production never calls this machine, whatever is set", () => {
  const variables = {
    SECRET: "s".repeat(32),
    SIGNING_KEYS: '[{"kid":"a","kty":"OKP","crv":"Ed25519","x":"","d":""}]',
  }
  const loopback = (more: object) => parseSettings({ ...variables, ...more }).loopbackCalls
  expect(loopback({ LOOPBACK_CALLS: "on" })).toBe(false)
  expect(loopback({ ENVIRONMENT: "development" })).toBe(true)
  expect(loopback({ ENVIRONMENT: "development", LOOPBACK_CALLS: "off" })).toBe(false)
})
