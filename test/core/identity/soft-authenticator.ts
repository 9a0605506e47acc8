import { createHash } from "node:crypto"

/*
 * An authenticator made of software, for tests: ES256, no attestation. What it answers can be bent at will.
 * @see https://www.w3.org/TR/webauthn-3/#sctn-authenticator-data
 */
export interface Credential {
  readonly id: string
  readonly key: CryptoKeyPair
  counter: number
  userHandle: string
}

export interface Bend {
  origin?: string
  rpId?: string
  challenge?: string
  type?: string
  crossOrigin?: boolean
  /** Whether PIN or finger proved whose hand it is. */
  verified?: boolean
  counter?: number
  userHandle?: string
  /** The attestation, as CBOR: by default there is none. */
  attestation?: Buffer
}

interface CreationOptions {
  challenge: string
  rp: { id: string }
  user: { id: string }
}

export async function createCredential(
  options: CreationOptions,
  origin: string,
  bend: Bend = {},
): Promise<{ credential: Credential; response: object }> {
  const key = (await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair
  const id = Buffer.from(crypto.getRandomValues(new Uint8Array(32)))
  const { x, y } = (await crypto.subtle.exportKey("jwk", key.publicKey)) as JsonWebKey
  const cose = cborMap([
    [1, 2],
    [3, -7],
    [-1, 1],
    [-2, Buffer.from(x as string, "base64url")],
    [-3, Buffer.from(y as string, "base64url")],
  ])
  const attested = Buffer.concat([Buffer.alloc(16), Buffer.from([0, id.length]), id, cose])
  const data = Buffer.concat([authenticatorData(bend.rpId ?? options.rp.id, bend, 0x40), attested])
  const attestationObject = cborMap([
    ["fmt", bend.attestation ? "packed" : "none"],
    ["attStmt", new Raw(bend.attestation ?? cborMap([]))],
    ["authData", data],
  ])
  const credential = {
    id: id.toString("base64url"),
    key,
    counter: 0,
    userHandle: options.user.id,
  }
  return {
    credential,
    response: {
      id: credential.id,
      rawId: credential.id,
      type: "public-key",
      clientExtensionResults: {},
      response: {
        clientDataJSON: clientData("webauthn.create", options.challenge, origin, bend).toString(
          "base64url",
        ),
        attestationObject: attestationObject.toString("base64url"),
        transports: ["internal"],
      },
    },
  }
}

export async function assertionOf(
  credential: Credential,
  options: { challenge: string; rpId: string },
  origin: string,
  bend: Bend = {},
): Promise<object> {
  const data = authenticatorData(bend.rpId ?? options.rpId, bend, 0)
  const client = clientData("webauthn.get", options.challenge, origin, bend)
  const signed = Buffer.concat([data, createHash("sha256").update(client).digest()])
  const raw = await crypto.subtle.sign(
    { name: "ECDSA", hash: "SHA-256" },
    credential.key.privateKey,
    signed,
  )
  return {
    id: credential.id,
    rawId: credential.id,
    type: "public-key",
    clientExtensionResults: {},
    response: {
      clientDataJSON: client.toString("base64url"),
      authenticatorData: data.toString("base64url"),
      signature: derOf(Buffer.from(raw)).toString("base64url"),
      userHandle: bend.userHandle ?? credential.userHandle,
    },
  }
}

const clientData = (type: string, challenge: string, origin: string, bend: Bend): Buffer =>
  Buffer.from(
    JSON.stringify({
      type: bend.type ?? type,
      challenge: bend.challenge ?? challenge,
      origin: bend.origin ?? origin,
      crossOrigin: bend.crossOrigin ?? false,
    }),
  )

function authenticatorData(rpId: string, bend: Bend, extraFlags: number): Buffer {
  const counter = Buffer.alloc(4)
  counter.writeUInt32BE(bend.counter ?? 0)
  const flags = 0x01 | (bend.verified === false ? 0 : 0x04) | extraFlags
  const hash = createHash("sha256").update(rpId).digest()
  return Buffer.concat([hash, Buffer.from([flags]), counter])
}

/** WebAuthn wants DER where WebCrypto gives r and s. */
function derOf(raw: Buffer): Buffer {
  const integer = (bytes: Buffer): Buffer => {
    let at = 0
    while (at < bytes.length - 1 && bytes[at] === 0) at++
    const short = bytes.subarray(at)
    const padded = (short[0] as number) & 0x80 ? Buffer.concat([Buffer.from([0]), short]) : short
    return Buffer.concat([Buffer.from([2, padded.length]), padded])
  }
  const both = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))])
  return Buffer.concat([Buffer.from([0x30, both.length]), both])
}

class Raw {
  readonly bytes: Buffer
  constructor(bytes: Buffer) {
    this.bytes = bytes
  }
}

type Cbor = number | string | Buffer | Raw

/** As much of RFC 8949 as an authenticator needs. */
export function cborMap(pairs: readonly (readonly [number | string, Cbor])[]): Buffer {
  return Buffer.concat([
    head(5, pairs.length),
    ...pairs.flatMap(([key, value]) => [cbor(key), cbor(value)]),
  ])
}

/** A list of byte strings. */
export const cborList = (items: readonly Buffer[]): Raw =>
  new Raw(Buffer.concat([head(4, items.length), ...items.map(cbor)]))

function cbor(value: Cbor): Buffer {
  if (value instanceof Raw) return value.bytes
  if (typeof value === "number") return value < 0 ? head(1, -1 - value) : head(0, value)
  const bytes = Buffer.from(value as string)
  return Buffer.concat([head(typeof value === "string" ? 3 : 2, bytes.length), bytes])
}

function head(major: number, length: number): Buffer {
  if (length < 24) return Buffer.from([(major << 5) | length])
  if (length < 256) return Buffer.from([(major << 5) | 24, length])
  return Buffer.from([(major << 5) | 25, length >> 8, length & 255])
}
