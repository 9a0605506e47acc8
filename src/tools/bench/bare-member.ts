/** In whose name the bare handler writes; a file of its own, so that the handler brings nothing else along. */
export const bareMember = "00000000-0000-7000-8000-000000000000"
