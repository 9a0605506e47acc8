import { write } from "../backend.ts"

interface PasskeyForm {
  challenge: string
  passkey: unknown
}

/** Asks the server for a challenge, and the browser for the passkey that answers it: alone, or as second factor. */
export async function askForPasskey(firstFactor?: string): Promise<PasskeyForm> {
  const body = firstFactor === undefined ? {} : { challenge: firstFactor }
  const options = await write<PublicKeyCredentialRequestOptionsJSON>(
    "POST",
    "/auth/passkeys/challenges",
    body,
  )
  return { challenge: firstFactor ?? options.challenge, passkey: await answer(options) }
}

/** A fresh proof with a passkey, within a session. */
export async function provePasskey(): Promise<PasskeyForm> {
  const options = await write<PublicKeyCredentialRequestOptionsJSON>(
    "POST",
    "/auth/sessions/current/challenges",
  )
  return { challenge: options.challenge, passkey: await answer(options) }
}

/** Makes a passkey on this device; with the first second factor, codes come that stand in for it. */
export async function createPasskey(
  name: string,
  secondFactor: boolean,
): Promise<{ readonly recoveryCodes: readonly string[] | null }> {
  const options = await write<PublicKeyCredentialCreationOptionsJSON>(
    "POST",
    "/auth/passkeys/registrations",
    { secondFactor },
  )
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options)
  const made = (await navigator.credentials.create({ publicKey })) as PublicKeyCredential
  return write("POST", "/auth/passkeys", {
    challenge: options.challenge,
    response: made.toJSON(),
    name,
  })
}

async function answer(options: PublicKeyCredentialRequestOptionsJSON): Promise<unknown> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options)
  const found = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential
  return found.toJSON()
}
