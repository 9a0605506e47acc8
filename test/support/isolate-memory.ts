/** Of one isolate: what it holds, and has held at most, in megabytes. */
export interface IsolateMemory {
  readonly before: number
  peak(): number
  /** How often it was looked at. */
  looks(): number
  stop(): void
}

/** As much of `Runtime.getHeapUsage` as counts against an isolate's 128 MB; all in bytes. */
interface HeapUsage {
  readonly usedSize: number
  readonly embedderHeapUsedSize: number
  /** Of array buffers, which live outside of the heap. */
  readonly backingStorageSize: number
}

const everyMilliseconds = 20

/**
 * Asks an isolate every few milliseconds what its heap and its array buffers hold, garbage included. What the simulators
 * of R2 and D1 hold is not in it: they are isolates of their own.
 *
 * @param inspector `ws://…`, where it speaks the Chrome DevTools Protocol
 */
export async function watchIsolate(inspector: string): Promise<IsolateMemory> {
  const socket = new WebSocket(inspector)
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve())
    socket.addEventListener("error", () => reject(new Error(`${inspector} does not answer.`)))
  })
  let [last, peak, looks] = [0, 0, 0]
  let stopped = false
  const first = new Promise<void>((resolve) => {
    socket.addEventListener("message", ({ data }) => {
      const { result } = JSON.parse(String(data)) as { result?: Partial<HeapUsage> }
      const { usedSize, embedderHeapUsedSize, backingStorageSize } = result ?? {}
      if (usedSize === undefined || backingStorageSize === undefined) return
      last = Math.round((usedSize + (embedderHeapUsedSize ?? 0) + backingStorageSize) / 2 ** 20)
      peak = Math.max(peak, last)
      looks++
      resolve()
      if (!stopped) setTimeout(look, everyMilliseconds)
    })
  })
  const look = () => {
    if (socket.readyState === WebSocket.OPEN)
      socket.send(JSON.stringify({ id: looks + 1, method: "Runtime.getHeapUsage" }))
  }
  look()
  await first
  return {
    before: last,
    peak: () => peak,
    looks: () => looks,
    stop() {
      stopped = true
      socket.close()
    },
  }
}
