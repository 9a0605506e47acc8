import { Button, Checkbox, Group, Modal, Stack, Text, TextInput } from "@mantine/core"
import { type FormEvent, useState } from "react"
import { backend, write } from "../backend.ts"
import { keepBlob } from "../keep-blob.ts"
import { leaveForGood } from "../leave.ts"
import { useText } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { useUser } from "../user.tsx"
import { Section } from "./section.tsx"

/** All that is known of oneself, to take along; and the end of the account. */
export function OwnData() {
  const text = useText()
  const { busy, run } = useAction()
  const [leaving, setLeaving] = useState(false)
  const t = text.account
  return (
    <>
      <Section title={t.data} hint={t.exportHint}>
        <Button
          variant="default"
          w="fit-content"
          loading={busy}
          onClick={() => void run(exportData)}
        >
          {t.export}
        </Button>
      </Section>
      <Section title={t.deletion} hint={t.deletionHint}>
        <Button color="red" variant="light" w="fit-content" onClick={() => setLeaving(true)}>
          {t.deletion}
        </Button>
        <Modal opened={leaving} onClose={() => setLeaving(false)} title={t.deletion}>
          <DeletionForm onCancel={() => setLeaving(false)} />
        </Modal>
      </Section>
    </>
  )
}

async function exportData(): Promise<void> {
  const answer = await backend.open({ method: "GET", path: "/auth/me/export" })
  keepBlob(await answer.blob(), "account.ndjson")
}

/** Whoever types their own address has not pressed the wrong button. */
function DeletionForm({ onCancel }: { onCancel: () => void }) {
  const text = useText()
  const user = useUser()
  const { busy, run } = useAction()
  const [typed, setTyped] = useState("")
  const [records, setRecords] = useState(false)
  const t = text.account
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const remove = async () => {
      if (records) await deleteOwnRecords()
      await write("DELETE", "/auth/me")
    }
    if (await run(remove, { done: t.gone })) await leaveForGood()
  }
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack>
        <Text size="sm">{t.deletionMeans}</Text>
        <Checkbox
          label={t.deleteRecords}
          description={t.deleteRecordsHint}
          checked={records}
          onChange={(event) => setRecords(event.currentTarget.checked)}
        />
        <TextInput
          label={t.typeToDelete(user.email ?? "")}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          autoComplete="off"
          required
          data-autofocus
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onCancel}>
            {text.cancel}
          </Button>
          <Button
            type="submit"
            color="red"
            loading={busy}
            disabled={typed.trim().toLowerCase() !== user.email?.toLowerCase()}
          >
            {t.deleteNow}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

/** Part by part, and anew while some of what was kept, because other records pointed at it, can go. */
async function deleteOwnRecords(): Promise<void> {
  interface Part {
    readonly deleted: number
    readonly kept: number
    readonly next: string | null
  }
  for (let again = true; again; ) {
    let deleted = 0
    let kept = 0
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query = cursor ? `?cursor=${encodeURIComponent(cursor)}` : ""
      const part: Part = await write("DELETE", `/auth/me/records${query}`)
      deleted += part.deleted
      kept += part.kept
      cursor = part.next
    }
    again = deleted > 0 && kept > 0
  }
}
