import { Alert, Button, Group, Text } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { read } from "../backend.ts"
import { leave } from "../leave.ts"
import { useText } from "../text.tsx"
import { useUser } from "../user.tsx"

interface Session {
  readonly current: boolean
  readonly impersonator: string | null
}

/** A banner that does not go away while somebody else's name is used. */
export function Impersonation() {
  const text = useText()
  const user = useUser()
  const { data } = useQuery({
    queryKey: ["own sessions", user.id],
    queryFn: () => read<{ items: Session[] }>("/auth/sessions"),
  })
  const current = data?.items.find((session) => session.current)
  if (!current?.impersonator) return null
  return (
    <Alert color="orange" mb="md" role="status">
      <Group justify="space-between">
        <Text size="sm">{text.people.impersonating(user.email ?? "–")}</Text>
        <Button size="xs" variant="default" onClick={() => void leave()}>
          {text.people.stop}
        </Button>
      </Group>
    </Alert>
  )
}
