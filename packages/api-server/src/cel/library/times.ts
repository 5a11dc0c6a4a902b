/**
 * Conversions of times that cel-go has and the CEL library has not.
 */

import type { Duration } from '@marcbachmann/cel-js/evaluator'
import { type Library, registerFunctions } from './library.ts'
import { timestampText } from './strings.ts'

export function registerTimes(library: Library): void {
  registerFunctions(library, {
    'string(google.protobuf.Timestamp): string': (time: Date) => timestampText(time),
    'string(google.protobuf.Duration): string': (duration: Duration) => String(duration),
    'int(google.protobuf.Timestamp): int': (time: Date) => BigInt(Math.floor(time.getTime() / 1000)),
    'timestamp(google.protobuf.Timestamp): google.protobuf.Timestamp': (time: Date) => time,
    'duration(google.protobuf.Duration): google.protobuf.Duration': (duration: Duration) => duration,
  })
}
