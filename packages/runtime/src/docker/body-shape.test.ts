import { expect, test } from 'vitest'
import type { CreateBody } from '../containers/create-body.ts'
import { checkShape, createShape, execShape, networkShape } from './body-shape.ts'

test.each([
  ['{"Image":5}', 'Image must be a string, not a number'],
  ['{"Cmd":{"a":1}}', 'Cmd must be a string or a list, not an object'],
  ['{"Cmd":["a",5]}', 'Cmd must be a string or a list, not a list'],
  ['{"Env":"A=1"}', 'Env must be a list, not a string'],
  ['{"Env":["A=1",5]}', 'Env[1] must be a string, not a number'],
  ['{"Labels":["a"]}', 'Labels must be an object, not a list'],
  ['{"Labels":{"a":1}}', 'Labels.a must be a string, not a number'],
  ['{"Tty":"yes"}', 'Tty must be a boolean, not a string'],
  ['{"HostConfig":5}', 'HostConfig must be an object, not a number'],
  ['{"HostConfig":{"Memory":"1g"}}', 'HostConfig.Memory must be an integer, not a string'],
  ['{"HostConfig":{"Memory":1.5}}', 'HostConfig.Memory must be an integer, not a number'],
  [
    '{"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":80}]}}}',
    'HostConfig.PortBindings.80/tcp[0].HostPort must be',
  ],
  ['{"NetworkingConfig":{"EndpointsConfig":{"n":{"Aliases":"a"}}}}', 'EndpointsConfig.n.Aliases must be a list'],
  ['[]', 'the body must be an object, not a list'],
])('%s is refused', (json, message) => {
  expect(() => checkShape(JSON.parse(json), createShape)).toThrow(message)
})

test.each([
  ['{"Image":"a","Cmd":"one","Entrypoint":["x"],"Env":null,"ExposedPorts":{"80/tcp":{}},"Unknown":[5]}', createShape],
  ['{"HostConfig":{"Binds":null,"PortBindings":{"80/tcp":null},"PidsLimit":null,"Init":true}}', createShape],
  ['{"Cmd":["a"],"ConsoleSize":[1,2]}', execShape],
  ['{"Name":"n","IPAM":{"Config":[{"Subnet":"10.0.0.0/8"}]}}', networkShape],
])('%s passes', (json, shape) => {
  expect(() => checkShape(JSON.parse(json), shape)).not.toThrow()
})

test('names differ in nothing but their case, as in Go', () => {
  const body = {
    image: 'a',
    LABELS: { Key: 'v', key: 'w' },
    hostConfig: { memory: 5, portbindings: { '80/tcp': [{ hostport: '1' }] } },
  }
  expect(checkShape(body, createShape)).toEqual({
    Image: 'a',
    Labels: { Key: 'v', key: 'w' },
    HostConfig: { Memory: 5, PortBindings: { '80/tcp': [{ HostPort: '1' }] } },
  })
})

test('what is refused by its name has that name in the shape', () => {
  const written = { hostconfig: { blkiodevicereadbps: [1], CGROUPPARENT: '/x', volumedriver: 'y' } }
  const { HostConfig } = checkShape(written, createShape) as CreateBody
  for (const name of ['BlkioDeviceReadBps', 'CgroupParent', 'VolumeDriver']) expect(HostConfig).toHaveProperty(name)
})
