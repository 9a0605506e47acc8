import { files, fileUsage, fileVariants, imagesMade } from "../../../src/core/files/tables.ts"
import { testStorageManual } from "../../support/storage-manual.ts"

testStorageManual([files, fileUsage, fileVariants, imagesMade])
