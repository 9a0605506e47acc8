import { writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { brotliCompressSync } from "node:zlib"
import { dictionary } from "@zxcvbn-ts/language-common"

/** As many of them as pass the other rules for passwords; beyond, each would be guessed too late to matter. */
const kept = 10_000
const shortest = 8

/**
 * Writes src/core/identity/common-passwords.ts anew, from the list of @zxcvbn-ts/language-common (MIT), which is ordered by
 * how often each password was found. Run by hand when that package is raised: `npx node src/tools/common-passwords.ts`.
 */
async function writeCommonPasswords(): Promise<void> {
  const found = (dictionary["passwords-common"] as readonly string[])
    .filter((password) => password.length >= shortest)
    .slice(0, kept)
    .sort()
  const lines = found.map((password, i) => {
    const shared = sharedLength(password, found[i - 1] ?? "")
    return shared.toString(36) + password.slice(shared)
  })
  const packed = brotliCompressSync(lines.join("\n")).toString("base64")
  const code = `/**
 * Made by src/tools/common-passwords.ts: ${found.length} passwords in order, a line each, compressed with Brotli. A line is one digit
 * (base 36), which says how many letters of the line before come first, and the rest. From @zxcvbn-ts/language-common (MIT).
 */
export const packedPasswords =
  "${packed}"
`
  await writeFile(
    fileURLToPath(new URL("../core/identity/common-passwords.ts", import.meta.url)),
    code,
  )
}

function sharedLength(one: string, other: string): number {
  let length = 0
  while (length < 35 && length < one.length && one[length] === other[length]) length++
  return length
}

await writeCommonPasswords()
