import { beforeAll, expect, test } from "vitest"
import { call } from "../../support/people.ts"
import { receivers } from "../../support/receivers.ts"
import {
  join,
  type Member,
  organisationOf,
  person,
  switchTo,
} from "../identity/organisation-cast.ts"
import { type Json, read, refused } from "../records/cast.ts"
import { type Endpoint, endpoint } from "./cast.ts"

/* Endpoints of an organisation's members, as those see them who lead it, and others. */

const path = "/webhooks/endpoints"
let owner: Member
let admin: Member
let member: Member
let stranger: Member
let made: Endpoint
let elsewhere: Endpoint
beforeAll(async () => {
  receivers.still = true
  ;[owner, admin, member, stranger] = (await Promise.all(
    ["olga", "adam", "mia", "stan"].map((name) => person(name)),
  )) as [Member, Member, Member, Member]
  const club = await organisationOf(owner)
  const other = await organisationOf(stranger, "Other")
  await join(admin, club, "admin")
  await join(member, club, "member")
  elsewhere = await endpoint(member, { events: ["tags.created"] })
  for (const one of [owner, admin, member]) await switchTo(one, club)
  await switchTo(stranger, other)
  made = await endpoint(member, { events: ["tags.created"], headers: { "X-Key": "sesame" } })
})

const seen = async (as: Member) =>
  (await read<{ items: Endpoint[] }>(call(as, "GET", path), 200)).items.map(({ id }) => id)

test("owners and admins see those of its members within it, members their own, strangers none", async () => {
  for (const who of [owner, admin, member]) expect(await seen(who)).toEqual([made.id])
  expect(await seen(stranger)).toEqual([])
  for (const who of [owner, admin]) {
    const text = await (await call(who, "GET", `${path}/${made.id}`)).text()
    expect(text).toContain(member.id)
    expect(text).not.toContain("sesame")
    await refused(call(who, "GET", `${path}/${elsewhere.id}`), 404)
  }
  await refused(call(stranger, "GET", `${path}/${made.id}`), 404)
})

test("they may disable and delete them, and do nothing else with them; of what was sent they see nothing", async () => {
  const one = `${path}/${made.id}`
  for (const who of [owner, admin]) {
    await refused(call(who, "PATCH", one, { url: "https://elsewhere.partner.com/" }), 403)
    await refused(call(who, "PATCH", one, { enabled: true }), 403)
    await refused(call(who, "POST", `${one}/secrets`, {}), 403)
    await refused(call(who, "POST", `${one}/tests`), 403)
    await refused(call(who, "POST", `${one}/replays`, { from: "2026-01-01T00:00:00.000Z" }), 403)
    await refused(call(who, "GET", `${one}/deliveries`), 404)
  }
  const disabled = await read<Json>(call(admin, "PATCH", one, { enabled: false }), 200)
  expect(disabled).toMatchObject({ enabled: false, disabledReason: "request" })
  await refused(call(stranger, "PATCH", one, { enabled: false }), 404)
  await refused(call(stranger, "DELETE", one), 404)
  await read(call(owner, "DELETE", one), 204)
  expect(await seen(member)).toEqual([])
})

test("a key of theirs sees what it made itself, as everybody's", async () => {
  const other = await endpoint(member, { events: ["tags.created"] })
  const { key } = await read<{ key: string }>(
    call(admin, "POST", "/auth/api-keys", { name: "k", scopes: ["webhooks:*", "tags:read"] }),
    201,
  )
  const program = { ...admin, token: key }
  const own = await endpoint(program, { events: ["tags.created"] })
  expect(await seen(program)).toEqual([own.id])
  await refused(call(program, "GET", `${path}/${other.id}`), 404)
})
