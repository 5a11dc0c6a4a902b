/**
 * SQLite's write-ahead log, read by ourselves before SQLite does. At the first frame whose checksum is wrong SQLite
 * drops that frame and every later one without a word: right after a crash, whose last transaction was not finished,
 * and wrong when a byte in the middle has changed, since what comes later was acknowledged.
 *
 *   header (32 bytes)   magic, version, page size, sequence, salt 1, salt 2, checksum 1, checksum 2
 *   frame  (24 bytes)   page number, database size (0 unless it commits), salt 1, salt 2, checksum 1, checksum 2
 *                       and then the page
 *
 * A frame's checksum continues that of the frame before it. Frames of another salt are left over from an earlier
 * round of the same file. (https://www.sqlite.org/fileformat2.html#the_write_ahead_log)
 */

const headerBytes = 32
const frameHeaderBytes = 24
/** Of the words that are summed up; everything else in the file is big-endian. */
const littleEndianMagic = 0x377f0682
const bigEndianMagic = 0x377f0683
const formatVersion = 3_007_000
const ordinaryPageSize = 4096

type Checksum = readonly [number, number]

export type LogState =
  /** Everything in it is good, or it ends as the log of a process does that was killed. */
  | 'whole'
  /** Its last transaction is broken. A power cut does that to one that nobody was told of; damage, to any. */
  | 'torn'
  /** There is a transaction behind the first broken frame, so the broken one was complete once. */
  | 'damaged'

export function examineLog(log: Buffer): LogState {
  if (log.length <= headerBytes) return 'whole'
  const header = headerOf(log)
  if (!header.isGood) return 'torn'
  const frames = framesOf(log)
  const firstBroken = frames.findIndex(({ isChained }) => !isChained)
  const behind = firstBroken < 0 ? [] : frames.slice(firstBroken).filter(({ isOfThisRound }) => isOfThisRound)
  const commit = behind.findIndex(({ commits }) => commits)
  if (commit >= 0 && commit < behind.length - 1) return 'damaged'
  return behind.length > 0 ? 'torn' : 'whole'
}

/**
 * The log without the frames that are broken: SQLite reads all of the others. A page whose newest state was in a
 * broken frame goes back to an older one, so what is read afterwards has to be checked row by row.
 */
export function withoutBrokenFrames(log: Buffer): Buffer {
  if (log.length <= headerBytes) return log
  const { salts, littleEndian, pageSize } = headerOf(log)
  const kept = framesOf(log).filter(({ isOfThisRound, isWhole }) => isOfThisRound && isWhole)
  const mended = Buffer.concat([log.subarray(0, headerBytes), ...kept.map(({ bytes }) => bytes)])
  mended.writeUInt32BE(littleEndian ? littleEndianMagic : bigEndianMagic, 0)
  mended.writeUInt32BE(formatVersion, 4)
  mended.writeUInt32BE(pageSize, 8)
  salts.copy(mended, 16)
  let sum = checksum(mended.subarray(0, 24), littleEndian)
  writeChecksum(mended, 24, sum)
  for (let at = headerBytes; at < mended.length; at += frameHeaderBytes + pageSize) {
    const frame = mended.subarray(at, at + frameHeaderBytes + pageSize)
    sum = frameChecksum(frame, littleEndian, sum)
    writeChecksum(frame, 16, sum)
  }
  return mended
}

interface Frame {
  bytes: Buffer
  commits: boolean
  /** It has the log's salts. */
  isOfThisRound: boolean
  /** Its own bytes are what its checksum says, if the frame before has its checksum right. */
  isWhole: boolean
  /** So are those of all frames before it: SQLite reads it. */
  isChained: boolean
}

function framesOf(log: Buffer): Frame[] {
  const { salts, littleEndian, pageSize } = headerOf(log)
  const frameBytes = frameHeaderBytes + pageSize
  const frames: Frame[] = []
  let before = readChecksum(log, 24)
  let isChained = true
  for (let at = headerBytes; at + frameBytes <= log.length; at += frameBytes) {
    const bytes = log.subarray(at, at + frameBytes)
    const isOfThisRound = bytes.compare(salts, 0, 8, 8, 16) === 0
    const stored = readChecksum(bytes, 16)
    const isWhole = isSame(frameChecksum(bytes, littleEndian, before), stored)
    isChained &&= isOfThisRound && isWhole
    frames.push({ bytes, commits: bytes.readUInt32BE(4) > 0, isOfThisRound, isWhole, isChained })
    before = stored
  }
  return frames
}

/** Where the header itself is damaged, what can only be so; the salts are then those of the first frame. */
function headerOf(log: Buffer): { isGood: boolean; salts: Buffer; littleEndian: boolean; pageSize: number } {
  const magic = log.readUInt32BE(0)
  const isMagic = magic === littleEndianMagic || magic === bigEndianMagic
  const littleEndian = magic !== bigEndianMagic
  const isGood = isMagic && isSame(checksum(log.subarray(0, 24), littleEndian), readChecksum(log, 24))
  if (isGood) return { isGood, salts: log.subarray(16, 24), littleEndian, pageSize: log.readUInt32BE(8) }
  return { isGood, salts: log.subarray(headerBytes + 8, headerBytes + 16), littleEndian, pageSize: ordinaryPageSize }
}

function frameChecksum(frame: Buffer, littleEndian: boolean, before: Checksum): Checksum {
  const ofHeader = checksum(frame.subarray(0, 8), littleEndian, before)
  return checksum(frame.subarray(frameHeaderBytes), littleEndian, ofHeader)
}

function checksum(bytes: Buffer, littleEndian: boolean, [first, second]: Checksum = [0, 0]): Checksum {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    first = (first + words.getUint32(at, littleEndian) + second) >>> 0
    second = (second + words.getUint32(at + 4, littleEndian) + first) >>> 0
  }
  return [first, second]
}

function readChecksum(bytes: Buffer, at: number): Checksum {
  return [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)]
}

function writeChecksum(bytes: Buffer, at: number, [first, second]: Checksum): void {
  bytes.writeUInt32BE(first, at)
  bytes.writeUInt32BE(second, at + 4)
}

function isSame(one: Checksum, other: Checksum): boolean {
  return one[0] === other[0] && one[1] === other[1]
}
