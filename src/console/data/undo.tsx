import { Button, Group, Text } from "@mantine/core"
import { useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import { isProblem, type Page, pathWith, read, write } from "../backend.ts"
import { useTell } from "../problem.tsx"
import { useText } from "../text.tsx"
import type { AnyRecord } from "./records.ts"
import { refreshRecords } from "./refresh.ts"

/** Takes something back, telling how far it is; a text that it answers is said in the end. */
export type TakeBack = (tell: (progress: string) => void) => Promise<string | undefined>

/** Tells that something was done to records of a collection, with the way back. */
export function useUndo() {
  const tell = useTell()
  const queries = useQueryClient()
  return (message: string, collection: string, takeBack: TakeBack) =>
    tell.undoable(
      <UndoButton
        message={message}
        onUndo={async (progress) => {
          try {
            return await takeBack(progress)
          } finally {
            await refreshRecords(queries, collection)
          }
        }}
      />,
    )
}

function UndoButton(props: { message: string; onUndo: TakeBack }) {
  const text = useText()
  const tell = useTell()
  const [message, setMessage] = useState(props.message)
  const [state, setState] = useState<"open" | "busy" | "done">("open")
  async function undo(): Promise<void> {
    setState("busy")
    try {
      setMessage((await props.onUndo(setMessage)) || text.undone)
      setState("done")
    } catch (error) {
      setState("open")
      tell.failed(error)
    }
  }
  return (
    <Group justify="space-between">
      <Text size="sm">{message}</Text>
      {state !== "done" && (
        <Button
          size="compact-xs"
          variant="light"
          loading={state === "busy"}
          onClick={() => void undo()}
        >
          {text.undo}
        </Button>
      )}
    </Group>
  )
}

export interface VersionedId {
  readonly id: string
  readonly version: number
}

/** Makes a record again what it was, unless it has moved on since. What is deleted comes back with what went along. */
export async function restore(
  collection: string,
  { id, version }: VersionedId,
  now: number | "deleted",
): Promise<undefined> {
  const deleted = now === "deleted"
  await write(
    "POST",
    `/records/${collection}/${id}/restorations`,
    { version, ...(deleted && { together: true }) },
    deleted ? undefined : { "if-match": `"${now}"` },
  )
  return undefined
}

/** Filters have at most 4,000 characters. */
export const idsInFilter = 90
export const filterOf = (ids: readonly string[]): string =>
  `id in (${ids.map((id) => `"${id}"`).join(",")})`

/** More than this is not taken back one by one. */
export const maxTakenBack = 500

/** What a filter finds, with the versions of now; null when it is too much to be taken back. */
export async function versionsFound(
  collection: string,
  filter: string,
): Promise<VersionedId[] | null> {
  const found: VersionedId[] = []
  for (let cursor: string | null = null; ; ) {
    const page: Page<AnyRecord> = await read(
      pathWith(`/records/${collection}`, { filter, fields: "id,version", limit: 200, cursor }),
    )
    found.push(...page.items)
    if (found.length > maxTakenBack) return null
    if (page.next === null) return found
    cursor = page.next
  }
}

/**
 * Makes records again what they were `before` all were changed or deleted at once. Those that this did not touch stay, and
 * so do those that somebody has changed since. Answers how many it was, and how many have moved on.
 */
export async function restoreAll(
  collection: string,
  before: readonly VersionedId[],
  kind: "update" | "delete",
  tell: (done: number, all: number) => void,
): Promise<{ restored: number; left: number }> {
  const now = new Map<string, number>()
  for (let at = 0; at < before.length; at += idsInFilter) {
    const ids = before.slice(at, at + idsInFilter).map(({ id }) => id)
    for (const one of (await versionsFound(collection, filterOf(ids))) ?? []) {
      now.set(one.id, one.version)
    }
  }
  const touched =
    kind === "delete"
      ? before.filter(({ id }) => !now.has(id))
      : before.filter(({ id, version }) => now.get(id) === version + 1)
  const moved = before.filter(({ id, version }) =>
    kind === "delete" ? false : !now.has(id) || (now.get(id) as number) > version + 1,
  )
  let restored = 0
  for (const one of touched) {
    try {
      await restore(collection, one, kind === "delete" ? "deleted" : one.version + 1)
      restored += 1
    } catch (error) {
      // One that cannot come back does not keep the others away; but without a session none can.
      if (!isProblem(error) || error.status < 403) throw error
    }
    tell(restored, touched.length)
  }
  return { restored, left: moved.length + touched.length - restored }
}
