import { exports } from "cloudflare:workers"
import { expect, test } from "vitest"
import { createClient } from "../../../src/client/client.ts"
import { hush } from "../../support/hush.ts"
import { signedIn } from "../../support/people.ts"
import { sha256Of } from "./cast.ts"

test("what the client sends in pieces arrives whole, also where the answer to a piece is lost", async () => {
  hush("info")
  const { email } = await signedIn("alice")
  const sent: string[] = []
  const client = createClient({
    url: "http://127.0.0.1",
    fetch: async (url, init) => {
      const request = new Request(String(url), init as RequestInit)
      sent.push(request.method)
      const answer = await exports.default.fetch(request)
      if (sent.filter((method) => method === "PATCH").length === 1 && request.method === "PATCH") {
        throw new TypeError("Network connection lost.")
      }
      return answer as unknown as Response
    },
  })
  await client.auth.signIn({ email, password: "correct horse battery staple" })
  const content = new Uint8Array(17_500_000).map((_, i) => (i * 7) % 251)
  const told: number[] = []
  const file = await client.files.upload(new File([content], "Ä film.bin"), {
    onProgress: (bytes) => told.push(bytes),
  })
  expect(file).toMatchObject({
    name: "Ä film.bin",
    sizeBytes: 17_500_000,
    sha256: await sha256Of(content),
  })
  expect(told.at(-1)).toBe(17_500_000)
  expect(sent.filter((method) => method === "HEAD")).toHaveLength(1)
  await client.files.delete(file.id)
})
