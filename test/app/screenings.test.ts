import { beforeAll, expect, test } from "vitest"
import { call, type Person, signedIn, signIn } from "../support/people.ts"

let olga: Person
let mia: Person
let stranger: Person
let club: string
let film: string
let screening: string

const body = async (response: Response) => (await response.json()) as Record<string, string>

beforeAll(async () => {
  const editor = await signedIn("edith", ["editor"])
  film = (await body(await call(editor, "POST", "/records/films", { title: "M" }))).id as string
  olga = await signedIn("olga")
  mia = await signedIn("mia")
  stranger = await signedIn("stranger")
  const made = await call(olga, "POST", "/auth/organisations", { name: "Tuesday club" })
  club = (await body(made)).id as string
  olga = await signIn(olga.email)
  screening = (await body(await call(olga, "POST", "/records/screenings", show()))).id as string
})

const show = () => ({ film, startsAt: "2026-12-01T19:30:00.000Z", place: "Cellar" })

test("a person who was invited reads what the club shows, and plans nothing until they are an admin", async () => {
  const invited = await call(olga, "POST", `/auth/organisations/${club}/invitations`, {
    email: mia.email,
    roles: ["member"],
  })
  expect(invited.status).toBe(201)
  const token = await tokenFor(mia.email)
  const accepted = await call(mia, "POST", "/auth/invitations/acceptances", { token })
  expect(accepted.status).toBe(201)
  mia = await signIn(mia.email)
  expect((await call(mia, "GET", `/records/screenings/${screening}`)).status).toBe(200)
  expect((await call(mia, "POST", "/records/screenings", show())).status).toBe(403)
  const promoted = await call(olga, "PATCH", `/auth/organisations/${club}/members/${mia.id}`, {
    roles: ["admin"],
  })
  expect(promoted.status).toBe(200)
  mia = await signIn(mia.email)
  expect((await call(mia, "POST", "/records/screenings", show())).status).toBe(201)
})

/** From the mail, which lies in the outbox for administrators to see. */
async function tokenFor(address: string): Promise<string> {
  const administrator = await signedIn("ada", ["administrator"])
  const list = await call(administrator, "GET", "/mails")
  const { items } = (await list.json()) as { items: { id: string; address: string }[] }
  const mail = items.find((one) => one.address === address)
  const shown = await call(administrator, "GET", `/mails/${mail?.id}`)
  return /#(hiv_[\w-]+)/.exec(await shown.text())?.[1] ?? ""
}

test("to others the club shows nothing", async () => {
  expect((await call(stranger, "GET", `/records/screenings/${screening}`)).status).toBe(404)
  const list = await call(stranger, "GET", "/records/screenings?count=exact")
  expect(await list.json()).toMatchObject({ items: [], count: 0 })
  expect((await call(stranger, "POST", "/records/screenings", show())).status).toBe(403)
})

test("a club that still shows something is not deleted", async () => {
  const answer = await call(olga, "DELETE", `/auth/organisations/${club}`)
  expect(answer.status).toBe(409)
})
