import { ApiProblem } from "./problem.ts"
import type { Call, Transport } from "./transport.ts"

/** The signed-in person, as only they see themselves. */
export interface User {
  id: string
  /** Null of an anonymous person. */
  email: string | null
  name: string | null
  roles: readonly string[]
  /** When they proved that the address is theirs; null where they have not. */
  emailVerifiedAt: string | null
}

/** Another service that can say who somebody is. */
export interface Provider {
  name: string
  kind: string
  /** For a button. */
  label: string
}

/** What the client needs of `localStorage`, so that any store can stand in for it. */
export type SessionStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">

/** An address with its password or mailed code, or a challenge with the factor that it asks for. */
export type SignIn =
  | { email: string; password: string }
  | { email: string; code: string }
  | { challenge: string; code: string }
  | { challenge: string; recoveryCode: string }
  | { challenge: string; passkey: unknown }

export interface Auth {
  /** Makes the account. It does not sign in. */
  signUp(person: { email: string; password: string; name?: string }): Promise<User>
  /** By any of the ways of `POST /auth/sessions`. Where a second factor is asked for, the problem's `body` has its challenge. */
  signIn(credentials: SignIn): Promise<User>
  /**
   * Begins a session of somebody who is nobody yet, where the deployment has such: what they make stays theirs when they
   * take an address. `captcha` is the widget's answer, where one is asked for.
   */
  signInAnonymously(captcha?: string): Promise<User>
  /** Gives the anonymous person an address and a password: the same person, with all that is theirs. */
  takeCredentials(person: { email: string; password: string; name?: string }): Promise<User>
  /** Those that one can sign in with; none where the deployment has none. */
  providers(): Promise<Provider[]>
  /**
   * For pages at the server's own origin: answers where to go in order to sign in with a provider. From there people come
   * back to `returnTo` (`/` unless told), signed in, or with `#error=` and a code.
   */
  beginSignInWith(provider: string, returnTo?: string): Promise<string>
  /** A fresh proof of who sits here (`POST /auth/sessions/current/proofs`), for what answers `step_up_required`. */
  prove(proof: Record<string, unknown>): Promise<void>
  signOut(): Promise<void>
  /** Who is signed in; null is nobody. */
  me(): Promise<User | null>
  /** Calls `listener` whenever another person (or nobody) is signed in than before. Answers how to stop it. */
  onChange(listener: (user: User | null) => void): () => void
}

/** A transport that sends each call in the name of the signed-in person. */
export interface Session {
  send: Transport
  auth: Auth
}

interface SessionOptions {
  transport: Transport
  /** The server is our own origin: it keeps the refresh token in an HttpOnly cookie, out of reach of scripts. */
  cookies: boolean
  storage: SessionStorage
  key: string
}

/** What outlives the page: with cookies only that there is a session. It is the truth for all tabs. */
interface Kept {
  /** Of the access token, in milliseconds since the epoch. */
  expiresAt: number
  refreshToken?: string
}

interface Tokens {
  /** A renewal does not repeat it. */
  user?: User
  accessToken: string
  expiresIn: number
  refreshToken: string
}

/** Codes that a new access token can mend: ours is not good any more, or (with cookies) has gone. */
const mendable = /^(unauthenticated|token_(expired|outdated|invalid))$/

/**
 * The session: an access token in memory, renewed once for however many calls need it. An expired token is renewed
 * before a call is sent, because without one a public list would be answered as to a stranger, not refused.
 */
export function createSession({ transport, cookies, storage, key }: SessionOptions): Session {
  let accessToken: string | undefined
  let user: User | null = null
  let renewing: Promise<boolean> | undefined
  const listeners = new Set<(user: User | null) => void>()

  function kept(): Kept | null {
    const text = storage.getItem(key)
    if (text) return JSON.parse(text)
    // Another tab has signed out.
    if (accessToken) close()
    return null
  }

  function announce(next: User | null): User | null {
    const changed = JSON.stringify(next) !== JSON.stringify(user)
    user = next
    if (changed) for (const listener of listeners) listener(next)
    return next
  }

  function open({ user: person, accessToken: token, expiresIn, refreshToken }: Tokens): void {
    const session: Kept = { expiresAt: Date.now() + expiresIn * 1000 }
    if (!cookies) session.refreshToken = refreshToken
    storage.setItem(key, JSON.stringify(session))
    accessToken = token
    if (person) announce(person)
  }

  function close(): void {
    storage.removeItem(key)
    accessToken = undefined
    announce(null)
  }

  /** One renewal at a time: a refresh token used twice looks stolen, and ends the session. */
  function renew(): Promise<boolean> {
    renewing ??= exchange().finally(() => {
      renewing = undefined
    })
    return renewing
  }

  /** False, and the session is over, when the server does not take the refresh token. */
  async function exchange(): Promise<boolean> {
    const refreshToken = kept()?.refreshToken
    if (!refreshToken && !cookies) return false
    try {
      const body = refreshToken ? { refreshToken } : {}
      open(await json<Tokens>(transport({ method: "POST", path: "/auth/tokens", body })))
      return true
    } catch (error) {
      if (!(error instanceof ApiProblem) || ![400, 401, 403].includes(error.status)) throw error
      close()
      return false
    }
  }

  const signed = (call: Call): Call => ({
    ...call,
    headers: { ...call.headers, ...(accessToken && { authorization: `Bearer ${accessToken}` }) },
  })

  async function send(call: Call): Promise<Response> {
    const session = kept()
    if (session && (session.expiresAt <= Date.now() || (!cookies && !accessToken))) await renew()
    const sent = accessToken
    try {
      return await transport(signed(call))
    } catch (error) {
      if (!(error instanceof ApiProblem) || !mendable.test(error.code)) throw error
      // With cookies there may be a token that we do not know of: only a stranger's 401 is final.
      if (!kept() && !(cookies && error.code !== "unauthenticated")) throw error
      // Another call may have renewed it while this one was under way.
      const renewed = accessToken !== sent || (await renew())
      if (!renewed && error.code === "unauthenticated") throw error
      return await transport(signed(call))
    }
  }

  const settled = () => renewing?.catch(() => false)

  async function begin(body: unknown, headers: Record<string, string> = {}): Promise<User> {
    await settled()
    const call: Call = { method: "POST", path: "/auth/sessions", body, headers }
    const tokens = await json<Tokens & { user: User }>(transport(call))
    open(tokens)
    return tokens.user
  }

  const auth: Auth = {
    signUp: (person) => json(transport({ method: "POST", path: "/auth/users", body: person })),
    signIn: (credentials) => begin(credentials),
    signInAnonymously: (captcha) =>
      begin({ kind: "anonymous" }, captcha ? { "x-captcha-response": captcha } : {}),
    async takeCredentials(person) {
      await settled()
      const call: Call = { method: "POST", path: "/auth/me/credentials", body: person }
      return announce(await json<User>(send(call))) as User
    },
    async providers() {
      const call: Call = { method: "GET", path: "/auth/providers" }
      return (await json<{ items: Provider[] }>(transport(call))).items
    },
    async beginSignInWith(provider, returnTo = "/") {
      await settled()
      const path = `/auth/providers/${encodeURIComponent(provider)}/authorizations`
      const call: Call = { method: "POST", path, body: { returnTo } }
      const { url } = await json<{ url: string }>(transport(call))
      // Whoever comes back may have a session of which only a cookie knows: the next page asks.
      storage.setItem(key, JSON.stringify({ expiresAt: 0 } satisfies Kept))
      return url
    },
    async prove(proof) {
      await settled()
      const call: Call = { method: "POST", path: "/auth/sessions/current/proofs", body: proof }
      const proved = await json<Pick<Tokens, "accessToken" | "expiresIn">>(send(call))
      accessToken = proved.accessToken
      const expiresAt = Date.now() + proved.expiresIn * 1000
      storage.setItem(key, JSON.stringify({ ...kept(), expiresAt } satisfies Kept))
    },
    async signOut() {
      await settled()
      try {
        await send({ method: "DELETE", path: "/auth/sessions/current" })
      } catch (error) {
        // Any other failure is reported: with cookies the session would go on behind the person's back.
        if (!(error instanceof ApiProblem) || error.status !== 401) throw error
      }
      close()
    },
    async me() {
      if (!kept()) return announce(null)
      try {
        const person = await json<User>(send({ method: "GET", path: "/auth/me" }))
        // Somebody may have signed out while the answer was on its way.
        return announce(kept() && person)
      } catch (error) {
        if (!(error instanceof ApiProblem) || error.status !== 401) throw error
        close()
        return null
      }
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  return { send, auth }
}

const json = async <T>(response: Promise<Response>): Promise<T> => (await response).json()

/** Forgets with the page. With cookies it begins with a guess: a session that earlier pages left behind. */
export function memoryStorage(cookies: boolean): SessionStorage {
  let kept: string | null = cookies ? JSON.stringify({ expiresAt: 0 } satisfies Kept) : null
  return {
    getItem: () => kept,
    setItem: (_, value) => {
      kept = value
    },
    removeItem: () => {
      kept = null
    },
  }
}
