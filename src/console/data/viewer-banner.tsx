import { Alert, Button, Group, Text } from "@mantine/core"
import { useText } from "../text.tsx"
import { useViewing } from "./viewer.tsx"

/** Does not go away while somebody else's view is shown. */
export function ViewerBanner() {
  const text = useText()
  const { viewer, setViewer } = useViewing()
  if (!viewer) return null
  return (
    <Alert color="orange" role="status">
      <Group justify="space-between">
        <Text size="sm">
          {viewer.name === null ? text.viewAs.anonymousBanner : text.viewAs.banner(viewer.name)}
        </Text>
        <Button size="xs" variant="default" onClick={() => setViewer(null)}>
          {text.viewAs.stop}
        </Button>
      </Group>
    </Alert>
  )
}
