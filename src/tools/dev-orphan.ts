/**
 * Loaded into `wrangler dev` before wrangler: when `npm run dev` is killed without a chance to say so, the channel
 * between the two breaks, and wrangler ends itself and workerd in good order.
 */
process.on("disconnect", () => process.kill(process.pid, "SIGTERM"))
// A listener keeps the channel, and so the process, alive; wrangler decides itself how long it lives.
process.channel?.unref()
