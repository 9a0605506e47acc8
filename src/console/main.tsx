import "@mantine/core/styles.css"
import "@mantine/notifications/styles.css"
import "./style.css"
import { MantineProvider } from "@mantine/core"
import { Notifications } from "@mantine/notifications"
import { QueryClient, QueryClientProvider } from "@tanstack/react-query"
import { StrictMode } from "react"
import { createRoot } from "react-dom/client"
import { Router } from "wouter"
import { ApiProblem } from "../client/problem.ts"
import { App } from "./app.tsx"
import { backend } from "./backend.ts"
import { loadLanguage, TextProvider } from "./text.tsx"
import { theme } from "./theme.ts"

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // The client has tried again already where that was of use; what the server refused it will refuse again.
      retry: false,
      throwOnError: (error) => !(error instanceof ApiProblem),
    },
  },
})

// Asked while the words come.
const arriving = backend.auth.me()
// Whoever shows what came of it hears of it in time, and nobody before.
arriving.catch(() => {})

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <TextProvider first={await loadLanguage()}>
          {/* Not over the buttons of what is open at the right. */}
          <Notifications position="bottom-left" />
          <Router base="/console">
            <App arriving={arriving} />
          </Router>
        </TextProvider>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
)
