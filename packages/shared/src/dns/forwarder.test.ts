import { encode } from 'dns-packet'
import { expect, test } from 'vitest'
import { ttlOffsets } from './forwarder.ts'
import { nameServersIn } from './resolv-conf.ts'

test('the name servers of a machine', () => {
  expect(nameServersIn('# comment\nsearch home\nnameserver 192.0.2.1\n nameserver  2001:db8::1 # b\n')).toEqual([
    '192.0.2.1',
    '2001:db8::1',
  ])
})

test('where the times to live stand in a message, EDNS left out', () => {
  const message = encode({
    type: 'response',
    questions: [{ type: 'A', name: 'example.com' }],
    answers: [
      { type: 'CNAME', name: 'example.com', ttl: 77, data: 'www.example.com' },
      { type: 'A', name: 'www.example.com', ttl: 88, data: '192.0.2.1' },
    ],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: 1232,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  })
  expect(ttlOffsets(message).map((offset) => message.readUInt32BE(offset))).toEqual([77, 88])
})
