import { Button, Group, Text } from "@mantine/core"
import { useState } from "react"
import { useTell } from "../problem.tsx"
import { useText } from "../text.tsx"

/** What was done, and the way back. */
export function UndoButton(props: { message: string; onUndo: () => Promise<void> }) {
  const text = useText()
  const tell = useTell()
  const [state, setState] = useState<"open" | "busy" | "done">("open")
  return (
    <Group justify="space-between">
      <Text size="sm">{props.message}</Text>
      {state !== "done" && (
        <Button
          size="compact-xs"
          variant="light"
          loading={state === "busy"}
          onClick={async () => {
            setState("busy")
            try {
              await props.onUndo()
              setState("done")
            } catch (error) {
              setState("open")
              tell.failed(error)
            }
          }}
        >
          {text.undo}
        </Button>
      )}
    </Group>
  )
}
