import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Browser, Page, Request } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser } from "./browser.ts"
import { expectAccessible, overflow, visitConsole } from "./console-visit.ts"

let server: TestServer
let browser: Browser
let directory: string
let token: string

const json = { "content-type": "application/json" }

async function post<T>(path: string, body: object): Promise<T> {
  const answer = await fetch(server.url + path, {
    method: "POST",
    headers: { ...json, ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
  })
  expect(answer.ok, `${path}: ${answer.status}`).toBe(true)
  return answer.json() as Promise<T>
}

/** A picture of one pixel. */
const pixel = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
)

/** The same picture, as large as wanted: what comes after its end is passed over. */
const withTail = (picture: Buffer, bytes: number) => Buffer.concat([picture, Buffer.alloc(bytes)])

/** A file as a person has it on their disk. */
async function onDisk(name: string, content: Buffer | string): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, content)
  return path
}

async function choose(page: Page, button: string, ...paths: string[]): Promise<void> {
  const choosing = page.waitForEvent("filechooser")
  await page.getByRole("button", { name: button }).click()
  await (await choosing).setFiles(paths)
}

/** Drops or pastes files, as the system hands them to a page. */
const hand = (
  page: Page,
  type: "drop" | "paste",
  files: readonly { name: string; text: string }[],
) =>
  page
    .locator(".drop-area")
    .first()
    .evaluate(
      (area, { type, files }) => {
        const data = new DataTransfer()
        for (const { name, text } of files) {
          data.items.add(new File([text], name, { type: "text/plain" }))
        }
        const init = { bubbles: true, cancelable: true }
        area.dispatchEvent(
          type === "drop"
            ? new DragEvent("drop", { ...init, dataTransfer: data })
            : new ClipboardEvent("paste", { ...init, clipboardData: data }),
        )
      },
      { type, files },
    )

/** A slow line, until it is called. */
async function slowDown(page: Page): Promise<() => Promise<unknown>> {
  const devtools = await page.context().newCDPSession(page)
  const conditions = { offline: false, latency: 0, downloadThroughput: -1 }
  const upload = (uploadThroughput: number) =>
    devtools.send("Network.emulateNetworkConditions", { ...conditions, uploadThroughput })
  await devtools.send("Network.enable")
  await upload(100_000)
  return () => upload(-1)
}

/** Waits until a part of it has been sent, and not yet all. */
async function seeProgress(page: Page, name: string): Promise<void> {
  const progress = page.getByRole("progressbar", { name: `${name} is being sent` })
  await expect
    .poll(async () => Number(await progress.getAttribute("aria-valuenow")), { timeout: 60_000 })
    .toBeGreaterThan(0)
  expect(Number(await progress.getAttribute("aria-valuenow"))).toBeLessThan(100)
}

describe.skipIf(!executablePath)("files in the console", () => {
  beforeAll(async () => {
    ;[server, browser, directory] = await Promise.all([
      startServer(),
      launchBrowser(),
      mkdtemp(join(tmpdir(), "files-")),
    ])
    token = (await post<{ accessToken: string }>("/auth/sessions", server.admin)).accessToken
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
    await rm(directory, { recursive: true, force: true })
  })

  test("one's own are sent by button, by drop and by paste, opened, shared and deleted", async () => {
    const visitor = await visitConsole(browser, server, "/files")
    const { page } = visitor
    await page.getByText("You have no files yet.").waitFor()
    const hurryUp = await slowDown(page)
    await choose(page, "Choose files", await onDisk("long.bin", Buffer.alloc(1_500_000)))
    await seeProgress(page, "long.bin")
    await page.getByRole("button", { name: "Stop sending long.bin" }).click()
    await page.getByText("long.bin").waitFor({ state: "detached" })
    await hurryUp()
    await choose(page, "Choose files", await onDisk("pixel.png", pixel))
    await page.getByRole("link", { name: "pixel.png", exact: true }).waitFor()
    await page.locator(".thumbnail img").waitFor()
    const shown = page.locator(".thumbnail img")
    expect(await shown.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(1)
    await hand(page, "drop", [
      { name: "dropped.txt", text: "dropped" },
      { name: `<img src=x onerror="document.title='owned'">.txt`, text: "x" },
    ])
    await page.getByRole("link", { name: "dropped.txt", exact: true }).waitFor()
    await hand(page, "paste", [{ name: "pasted.txt", text: "pasted" }])
    await page.getByRole("link", { name: "pasted.txt", exact: true }).waitFor()
    expect(await page.getByText("long.bin").count()).toBe(0)
    await expectAccessible(page, "files")

    const opening = page.context().waitForEvent("page")
    await page.getByRole("link", { name: "pasted.txt", exact: true }).click()
    const opened = await opening
    await opened.getByText("pasted").waitFor()
    await opened.close()
    const row = page.getByRole("row").filter({ hasText: "pixel.png" })
    await row.getByRole("button", { name: "Make a link" }).click()
    await page.getByRole("button", { name: "Make the link" }).click()
    const url = (await page.locator("pre").textContent()) ?? ""
    const answer = await fetch(url)
    expect(Buffer.from(await answer.arrayBuffer()).equals(pixel)).toBe(true)
    await expectAccessible(page, "a link")
    await page.getByRole("button", { name: "Close" }).click()
    await row.getByRole("button", { name: "Delete" }).click()
    await page.getByText("Deleted.").waitFor()
    await row.waitFor({ state: "detached" })
    expect((await fetch(url)).status).toBe(404)
    expect(await page.title()).toBe("Console")
    await visitor.leave()
  })

  test("what the server refuses is told in words, and a narrow screen shows all of it", async () => {
    const visitor = await visitConsole(browser, server, "/files", {
      viewport: { width: 360, height: 740 },
      colorScheme: "dark",
    })
    const { page, complaints } = visitor
    await page.route("**/files?name=*", (route) =>
      route.fulfill({
        status: 413,
        contentType: "application/problem+json",
        body: JSON.stringify({ code: "quota_exceeded", title: "", status: 413, detail: "" }),
      }),
    )
    const name = page.getByRole("link", { name: "pasted.txt", exact: true })
    expect((await name.boundingBox())?.width).toBeGreaterThan(40)
    await choose(page, "Choose files", await onDisk("too-much.txt", "x".repeat(100)))
    const alert = page.getByRole("alert")
    await alert.getByText("there is no room left for your files").waitFor()
    await expectAccessible(page, "a refused file in dark")
    expect(await overflow(page)).toBe(0)
    await alert.getByRole("button", { name: "Close" }).click()
    await alert.waitFor({ state: "detached" })
    expect(complaints.filter((one) => !one.includes("413"))).toEqual([])
    await page.context().close()
  })

  test("a film's poster is sent, replaced and removed in its form, and shown in the list and its history", async () => {
    const film = await post<{ id: string }>("/records/films", { title: "The Third Man" })
    const visitor = await visitConsole(browser, server, `/data/films/${film.id}`)
    const { page } = visitor
    const drawer = page.getByRole("dialog")
    const poster = drawer.getByRole("group", { name: "poster" })
    const save = drawer.getByRole("button", { name: "Save" })
    // What it does not take is refused before it is sent.
    await choose(page, "Choose a file", await onDisk("notes.txt", "x"))
    await poster.getByRole("alert").getByText("this takes only image/*.").waitFor()
    await poster.getByRole("button", { name: "Close" }).click()
    await choose(page, "Choose a file", await onDisk("vast.png", Buffer.alloc(5_000_001)))
    await poster.getByRole("alert").getByText("it may have 5 MB at most.").waitFor()
    await poster.getByRole("button", { name: "Close" }).click()

    const hurryUp = await slowDown(page)
    await choose(page, "Choose a file", await onDisk("first.png", withTail(pixel, 400_000)))
    await seeProgress(page, "first.png")
    expect(await save.isDisabled()).toBe(true)
    await hurryUp()
    await poster.getByRole("link", { name: "first.png", exact: true }).waitFor()
    await poster.getByText("image/png · 400.1 kB").waitFor()
    await poster.locator("img").waitFor()
    await expectAccessible(page, "a form with a file")
    await save.click()
    await page.getByText("Saved.").waitFor()
    await page.getByRole("gridcell").filter({ hasText: "first.png" }).locator("img").waitFor()

    await page.getByRole("button", { name: "Open The Third Man" }).click()
    await choose(page, "Replace", await onDisk("second.png", pixel))
    await poster.getByRole("link", { name: "second.png", exact: true }).waitFor()
    expect(await poster.getByRole("link", { name: "first.png", exact: true }).count()).toBe(0)
    await save.click()
    await page.getByRole("gridcell").filter({ hasText: "second.png" }).waitFor()
    await page.getByRole("button", { name: "Open The Third Man" }).click()
    await poster.getByRole("button", { name: "Remove second.png" }).click()
    await save.click()
    await drawer.waitFor({ state: "detached" })
    await page
      .getByRole("gridcell")
      .filter({ hasText: "second.png" })
      .waitFor({ state: "detached" })

    await page.getByRole("button", { name: "Open The Third Man" }).click()
    await page.getByRole("tab", { name: "History" }).click()
    await drawer.getByText("poster first.png → second.png").waitFor()
    await visitor.leave()
  })

  test("what is no picture, whatever it is called, is refused with its reason", async () => {
    const film = await post<{ id: string }>("/records/films", { title: "Polyglot" })
    const visitor = await visitConsole(browser, server, `/data/films/${film.id}`, {
      colorScheme: "dark",
      viewport: { width: 360, height: 740 },
    })
    const { page, complaints } = visitor
    const poster = page.getByRole("group", { name: "poster" })
    const html = "<!doctype html><script>document.title='owned'</script>"
    await choose(page, "Choose a file", await onDisk("page.png", html))
    await poster.getByRole("alert").getByText("image/*").waitFor()
    expect(await poster.getByRole("link").count()).toBe(0)
    await expectAccessible(page, "a refused file")
    expect(await overflow(page)).toBe(0)
    expect(await page.title()).toBe("Console")
    expect(complaints.filter((one) => !one.includes("415"))).toEqual([])
    await page.context().close()
  })

  test("whoever views as somebody gets files with their rights, and not with the cookies of who looks", async () => {
    const upload = await fetch(`${server.url}/files?name=shown.png`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "image/png" },
      body: new Uint8Array(pixel),
    })
    const { id } = (await upload.json()) as { id: string }
    await post("/records/films", { title: "Seen by all", poster: id })
    const visitor = await visitConsole(browser, server, "/data/films?search=Seen")
    const { page } = visitor
    const cell = page.getByRole("gridcell").filter({ hasText: "shown.png" })
    await cell.locator("img").waitFor()
    await page.getByRole("button", { name: "More" }).click()
    await page.getByRole("menuitem", { name: "View as" }).click()
    // What everybody may read would come from the browser's cache, and not be asked for.
    const devtools = await page.context().newCDPSession(page)
    await devtools.send("Network.enable")
    await devtools.send("Network.setCacheDisabled", { cacheDisabled: true })
    const asked: Request[] = []
    page.on("request", (request) => {
      if (request.url().includes(id)) asked.push(request)
    })
    await page.getByRole("button", { name: "View as somebody who is not signed in" }).click()
    await page.getByText("You see what somebody sees").waitFor()
    await cell.locator("img").waitFor()
    await page.getByRole("button", { name: "Open Seen by all" }).click()
    const poster = page.getByRole("dialog").getByRole("group", { name: "poster" })
    await poster.getByText("shown.png").waitFor()
    expect(await poster.getByRole("link").count()).toBe(0)
    expect(await poster.getByRole("button", { name: "Replace" }).count()).toBe(0)
    const downloading = page.waitForEvent("download")
    await poster.getByRole("button", { name: "Download shown.png" }).click()
    expect((await downloading).suggestedFilename()).toBe("shown.png")
    // The small picture, what is known of the file, and the download.
    expect(asked.map((request) => request.method()).sort()).toEqual(["GET", "GET", "HEAD"])
    const headers = await Promise.all(asked.map((request) => request.allHeaders()))
    expect(headers.filter((one) => "cookie" in one)).toHaveLength(0)
    await visitor.leave()
  })
})
