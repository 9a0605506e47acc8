import { Button, Divider, Modal, Select, Stack, Text, Textarea } from "@mantine/core"
import { useDebouncedValue } from "@mantine/hooks"
import { keepPreviousData, useQuery } from "@tanstack/react-query"
import { type FormEvent, useState } from "react"
import { type Page, pathWith, read, write } from "../backend.ts"
import type { Person } from "../people/person.ts"
import { useText } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { anonymousViewer, personViewer, type Tokens, useViewing } from "./viewer.tsx"

/** Asks whose view to look at. A person's takes a reason and a fresh proof: they are told, and the log names who looked. */
export default function ViewAsDialog({ onClose }: { onClose: () => void }) {
  const text = useText()
  const t = text.viewAs
  const { setViewer } = useViewing()
  const { busy, run } = useAction()
  const [id, setId] = useState<string | null>(null)
  const [typed, setTyped] = useState("")
  const [search] = useDebouncedValue(typed, 200)
  const { data } = useQuery({
    queryKey: ["/auth/users", "found", search],
    queryFn: () => read<Page<Person>>(pathWith("/auth/users", { search, limit: 20 })),
    placeholderData: keepPreviousData,
  })
  const people = data?.items ?? []
  const nameOf = ({ name, email }: Person) => (name ? `${name} · ${email}` : email)
  const begin = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const person = people.find((one) => one.id === id)
    if (!person) return
    const reason = String(new FormData(event.currentTarget).get("reason"))
    const done = await run(async () => {
      const path = `/auth/users/${person.id}/impersonations`
      const tokens = await write<Tokens>("POST", path, { reason })
      setViewer(personViewer(person.id, person.name ?? person.email, tokens))
    })
    if (done) onClose()
  }
  return (
    <Modal opened onClose={onClose} title={t.title} closeButtonProps={{ "aria-label": text.close }}>
      <form onSubmit={(event) => void begin(event)}>
        <Stack>
          <Text size="sm">{t.hint}</Text>
          <Button
            variant="default"
            h="auto"
            py="xs"
            styles={{ label: { whiteSpace: "normal" } }}
            onClick={() => {
              setViewer(anonymousViewer())
              onClose()
            }}
          >
            {t.anonymous}
          </Button>
          <Divider />
          <Select
            label={t.person}
            placeholder={t.find}
            data={people.map((person) => ({
              value: person.id,
              label: nameOf(person),
              // Nobody acts in the name of administrators.
              disabled: person.roles.includes("administrator"),
            }))}
            value={id}
            onChange={setId}
            searchable
            searchValue={typed}
            onSearchChange={setTyped}
            filter={({ options }) => options}
            nothingFoundMessage={text.people.empty}
          />
          <Textarea label={t.reason} description={t.told} name="reason" required />
          <Button type="submit" loading={busy} disabled={id === null}>
            {t.begin}
          </Button>
        </Stack>
      </form>
    </Modal>
  )
}
