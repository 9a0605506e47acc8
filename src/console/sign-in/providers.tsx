import { Button } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { backend } from "../backend.ts"
import { useText } from "../text.tsx"
import { keepFragment } from "./fragment.ts"

/** Those that the deployment has set up; none is shown where it has none. */
export function Providers({ onFailed }: { onFailed: (error: unknown) => void }) {
  const text = useText()
  const { data } = useQuery({ queryKey: ["providers"], queryFn: () => backend.auth.providers() })
  const goTo = async (name: string) => {
    const url = await backend.auth.beginSignInWith(name, location.pathname)
    keepFragment()
    location.assign(url)
  }
  return data?.map(({ name, label }) => (
    <Button key={name} variant="default" onClick={() => void goTo(name).catch(onFailed)}>
      {text.signIn.with(label)}
    </Button>
  ))
}
