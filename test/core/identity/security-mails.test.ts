import { afterEach, describe, expect, test, vi } from "vitest"
import { sql } from "../../../src/platform/sql.ts"
import {
  type Person as Caller,
  call as callWorker,
  signedIn as signedInAtWorker,
} from "../../support/people.ts"
import { call, claimsOf, json, password, query, refreshed, refusal, signedIn } from "./cast.ts"
import { codeOf, guarded, signInTwice } from "./factors-cast.ts"
import { elsewhere, eventsOf, mailsTo } from "./mailbox.ts"

afterEach(() => {
  vi.useRealTimers()
})

const subjects = async (user: string) =>
  (await mailsTo(user, "account.notice")).map(({ subject }) => subject).reverse()

describe("whoever is told by mail", () => {
  test("of an authenticator and of new recovery codes, and of their end", async () => {
    const ann = await guarded("mailed-ann")
    expect(await subjects(ann.user.id)).toEqual(["A way to sign in was added"])
    const { accessToken: token } = await signInTwice(ann)
    await json(call("/auth/recovery-codes", { method: "POST", token }), 201)
    await json(call(`/auth/authenticators/${ann.authenticator}`, { method: "DELETE", token }), 204)
    const told = (await subjects(ann.user.id)).filter((subject) => subject.startsWith("A way"))
    expect(told).toEqual([
      "A way to sign in was added",
      "A way to sign in was added",
      "A way to sign in was removed",
    ])
  })

  test("in their own language, once", async () => {
    await json(
      call("/auth/users", {
        body: { email: "dora@example.com", password },
        headers: { "accept-language": "de-AT,de;q=0.9" },
      }),
      201,
    )
    const dora = await json<{ user: { id: string }; accessToken: string }>(
      call("/auth/sessions", { body: { email: "dora@example.com", password } }),
      201,
    )
    const token = dora.accessToken
    const started = await json<{ id: string; secret: string }>(
      call("/auth/authenticators", { body: { name: "Telefon" }, token }),
      201,
    )
    const { fromBase32 } = await import("../../support/base32.ts")
    const code = codeOf(fromBase32(started.secret))
    await json(
      call(`/auth/authenticators/${started.id}/confirmations`, { body: { code }, token }),
      201,
    )
    expect(await subjects(dora.user.id)).toEqual(["Ein Weg zur Anmeldung kam hinzu"])
  })

  test("not of a code that was refused", async () => {
    const eve = await signedIn("mailed-eve")
    const started = await json<{ id: string }>(
      call("/auth/authenticators", { body: { name: "Phone" }, token: eve.accessToken }),
      201,
    )
    const wrong = call(`/auth/authenticators/${started.id}/confirmations`, {
      body: { code: "000000" },
      token: eve.accessToken,
      headers: elsewhere(),
    })
    expect((await wrong).status).toBe(401)
    expect(await subjects(eve.user.id)).toEqual([])
  })

  test("of a key for programs, and of the one that follows it", async () => {
    const as = await signedInAtWorker("mailed-key")
    const body = { name: "Backup", scopes: ["*:read"] }
    const made = await json<{ id: string }>(callWorker(as, "POST", "/auth/api-keys", body), 201)
    await json(callWorker(as, "POST", `/auth/api-keys/${made.id}/rotations`), 201)
    expect(await subjects(as.id)).toEqual([
      "A key for programs was made",
      "A key for programs was made",
    ])
    const [mail] = await mailsTo(as.id, "account.notice")
    expect(mail?.text).toContain("Backup")
  })

  test("of a refresh token that came twice, and the audit log has it; not of two tabs", async () => {
    const { user, refreshToken } = await signedIn("mailed-theft")
    const tabs = await Promise.all([refreshed(refreshToken), refreshed(refreshToken)])
    expect(await eventsOf(user.id)).not.toContain("session.stolen")
    await refreshed(tabs[0]?.refreshToken as string)
    const reuse = () => call("/auth/tokens", { body: { refreshToken } })
    expect(await refusal(reuse(), 401)).toBe("token_invalid")
    expect(await refusal(reuse(), 401)).toBe("token_invalid")
    expect((await eventsOf(user.id)).filter((kind) => kind === "session.stolen")).toHaveLength(1)
    expect(await subjects(user.id)).toEqual(["A session of yours was ended"])
  })

  test("of their roles and of being disabled, by an administrator", async () => {
    const root = await signedInAtWorker("mailed-root", ["administrator"])
    const { user } = await signedIn("mailed-fred")
    const patch = (body: object) => callWorker(root, "PATCH", `/auth/users/${user.id}`, body)
    await json(patch({ roles: ["editor"] }), 200)
    await json(patch({ roles: ["editor"] }), 200)
    await json(patch({ disabled: true }), 200)
    expect(await subjects(user.id)).toEqual([
      "Your roles were changed",
      "Your account was disabled",
    ])
  })
})

describe("an administrator who acts in another's name", () => {
  let counter = 0
  /** The administrator, and the token with which they act. */
  async function acting() {
    const name = `acting-${++counter}`
    const root = await signedInAtWorker(name, ["administrator"])
    const ann = await signedInAtWorker(`${name}-ann`)
    const session = await json<{ accessToken: string; refreshToken: string }>(
      callWorker(root, "POST", `/auth/users/${ann.id}/impersonations`, { reason: "Support" }),
      201,
    )
    expect(claimsOf(session.accessToken)).toMatchObject({ sub: ann.id, imp: root.id })
    return { root, ann, token: session.accessToken, refreshToken: session.refreshToken }
  }
  const as = (token: string): Caller => ({ id: "", email: "", token })

  const ends: [string, (root: Caller, other: Caller) => Promise<Response>][] = [
    [
      "loses the role",
      (root, other) => callWorker(other, "PATCH", `/auth/users/${root.id}`, { roles: [] }),
    ],
    [
      "is disabled",
      (root, other) => callWorker(other, "PATCH", `/auth/users/${root.id}`, { disabled: true }),
    ],
    [
      "is signed out everywhere",
      (root, other) => callWorker(other, "DELETE", `/auth/users/${root.id}/sessions`),
    ],
    [
      "has to choose a password",
      (root, other) => callWorker(other, "POST", `/auth/users/${root.id}/password-resets`),
    ],
    [
      "takes another password",
      (root) =>
        callWorker(root, "POST", "/auth/password-changes", { password: "another good one" }),
    ],
    ["deletes their account", (root) => callWorker(root, "DELETE", "/auth/me")],
  ]
  test.each(ends)("and %s, writes and reads nothing more in that name", async (_, end) => {
    const { root, ann, token, refreshToken } = await acting()
    const other = await signedInAtWorker(`other-${counter}`, ["administrator"])
    const diary = { entry: "In another's name" }
    await json(callWorker(as(token), "POST", "/records/diaries", diary), 201)
    expect((await end(root, other)).status).toBeLessThan(300)
    for (const [method, path, body] of [
      ["POST", "/records/diaries", diary],
      ["GET", "/records/diaries", undefined],
      ["GET", "/auth/me", undefined],
    ] as const) {
      expect(await refusal(callWorker(as(token), method, path, body), 401)).toBe("token_outdated")
    }
    const refresh = callWorker(null, "POST", "/auth/tokens", { refreshToken })
    expect(await refusal(refresh, 401)).toBe("token_invalid")
    // The person in whose name it was goes on.
    await json(callWorker(ann, "GET", "/records/diaries"), 200)
    expect(
      await query(sql`SELECT count(*) AS entries FROM diaries WHERE owner = ${ann.id}`),
    ).toEqual([{ entries: 1 }])
  })
})
