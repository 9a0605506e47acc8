import Argon2 from "@phi-ag/argon2"
import wasm from "@phi-ag/argon2/argon2.wasm"

let instance: Argon2 | undefined

/** Argon2 in the Worker. The only file with the wasm import, which Node cannot load. */
export const loadArgon2 = (): Argon2 => {
  instance ??= new Argon2(new WebAssembly.Instance(wasm))
  return instance
}
