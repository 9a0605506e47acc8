import { Stack, Title } from "@mantine/core"
import { useText } from "../text.tsx"
import { EventTable } from "./event-table.tsx"

/** Everything about security that happened in the deployment. */
export default function Audit() {
  const text = useText()
  return (
    <Stack>
      <Title order={2}>{text.audit.title}</Title>
      <EventTable />
    </Stack>
  )
}
