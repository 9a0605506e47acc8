import { writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { deflateRawSync } from "node:zlib"
import { dictionary } from "@zxcvbn-ts/language-common"

/** As many of them as pass the other rules for passwords; beyond, each would be guessed too late to matter. */
const kept = 10_000
const shortest = 8

/**
 * Writes src/core/identity/common-passwords.ts anew, from the list of @zxcvbn-ts/language-common (MIT), which is ordered by
 * how often each password was found. Run by hand when that package is raised: `node src/tools/common-passwords.ts`.
 */
async function writeCommonPasswords(): Promise<void> {
  const found = (dictionary["passwords-common"] as readonly string[])
    .filter((password) => password.length >= shortest)
    .slice(0, kept)
    .sort()
  const packed = deflateRawSync(found.join("\n"), { level: 9 }).toString("base64")
  const code = `/** Made by src/tools/common-passwords.ts: ${found.length} passwords, a line each, deflated. From @zxcvbn-ts/language-common (MIT). */
export const packedPasswords =
  "${packed}"
`
  await writeFile(
    fileURLToPath(new URL("../core/identity/common-passwords.ts", import.meta.url)),
    code,
  )
}

await writeCommonPasswords()
