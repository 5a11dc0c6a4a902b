import { expect, test } from 'vitest'
import { formatSubnet } from '../ipam.ts'
import { parseLinkNames, parseRoutes, parseTraffic } from './machine-links.ts'

test('routes, without the default one', () => {
  const text = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
br-1\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
tun0\t01000A0A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0
`
  expect(parseRoutes(text).map(formatSubnet)).toEqual(['192.0.2.0/24', '172.17.0.0/16', '10.10.0.1/32'])
  expect(parseRoutes('')).toEqual([])
})

test('interfaces', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs
    lo:  237264    3127    0    0    0     0          0         0   237264    3127    0
br-1:       0       0    0    0    0     0          0         0        0       0    0
`
  expect(parseLinkNames(text)).toEqual(['lo', 'br-1'])
})

test('traffic, but not with oneself', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  237264    3127    0    0    0     0          0         0   237264    3127    0    0    0     0       0          0
  eth0:     100       2    3    4    0     0          0         0      500       6    7    8    0     0       0          0
`
  expect(parseTraffic(text)).toEqual({
    eth0: {
      rx_bytes: 100,
      rx_packets: 2,
      rx_errors: 3,
      rx_dropped: 4,
      tx_bytes: 500,
      tx_packets: 6,
      tx_errors: 7,
      tx_dropped: 8,
    },
  })
})
