import { files, fileUsage, fileVariants } from "../../../src/core/files/tables.ts"
import { testStorageManual } from "../../support/storage-manual.ts"

testStorageManual([files, fileUsage, fileVariants])
