import { expect, test } from 'vitest'
import { openApiV2Protobuf } from './v2-protobuf.ts'

/** `protoc --decode_raw`, by hand: what is in a field is shown as a message if it can be one, else as text. */
function decode(bytes: Buffer): unknown[] {
  const fields: unknown[] = []
  let at = 0
  const varint = () => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++]
      if (byte === undefined) throw new Error('cut off')
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    const [number, type] = [tag >> 3, tag & 7]
    if (number === 0 || type > 2) throw new Error('no field')
    if (type === 0) fields.push([number, varint()])
    else if (type === 1) fields.push([number, bytes.readDoubleLE((at += 8) - 8)])
    else {
      const length = varint()
      if (at + length > bytes.length) throw new Error('cut off')
      fields.push([number, readable(bytes.subarray(at, (at += length)))])
    }
  }
  return fields
}

function readable(bytes: Buffer): unknown {
  if (/^[\w .:"[\]{}/#-]{2,}$/.test(String(bytes))) return String(bytes)
  return decode(bytes)
}

test('an empty document', () => {
  const written = openApiV2Protobuf({ swagger: '2.0', info: { title: 'Dinghy', version: '1.0' } })
  expect(written.toString('latin1')).toBe('\n\x032.0\x12\r\n\x06Dinghy\x12\x031.0')
})

test('schemas', () => {
  const text = { type: 'string', maxLength: 300, enum: ['some'], 'x-own': ['more'] }
  const properties = { text, part: { $ref: '#/definitions/other' }, list: { type: 'array', items: { minimum: 0.5 } } }
  const map = {
    type: 'object',
    required: ['text'],
    uniqueItems: true,
    properties,
    additionalProperties: { type: 'null' },
  }
  expect(decode(openApiV2Protobuf({ definitions: { 'its name': map } }))).toEqual([
    [
      9,
      [
        [
          1,
          [
            [1, 'its name'],
            [
              2,
              [
                [22, [[1, 'object']]],
                [19, 'text'],
                [16, 1],
                [
                  25,
                  [
                    [
                      1,
                      [
                        [1, 'text'],
                        [
                          2,
                          [
                            [22, [[1, 'string']]],
                            [11, 300],
                            [20, [[2, '"some"']]],
                            [
                              31,
                              [
                                [1, 'x-own'],
                                [2, [[2, '["more"]']]],
                              ],
                            ],
                          ],
                        ],
                      ],
                    ],
                    [
                      1,
                      [
                        [1, 'part'],
                        [2, [[1, '#/definitions/other']]],
                      ],
                    ],
                    [
                      1,
                      [
                        [1, 'list'],
                        [
                          2,
                          [
                            [22, [[1, 'array']]],
                            [23, [[1, [[9, 0.5]]]]],
                          ],
                        ],
                      ],
                    ],
                  ],
                ],
                [21, [[1, [[22, [[1, 'null']]]]]]],
              ],
            ],
          ],
        ],
      ],
    ],
  ])
})

test('paths, and a parameter by its place', () => {
  const parameters = [
    { in: 'path', name: 'name', type: 'string', uniqueItems: true },
    { in: 'query', name: 'pretty', type: 'boolean' },
    { in: 'body', name: 'body', required: true, schema: { type: 'object' } },
  ]
  const responses = { 200: { description: 'fine', schema: { type: 'object' } } }
  const get = { tags: ['core'], produces: ['application/json'], parameters, responses, 'x-action': 'list' }
  expect(decode(openApiV2Protobuf({ paths: { '/api/v1': { get } } }))).toEqual([
    [
      8,
      [
        [
          2,
          [
            [1, '/api/v1'],
            [
              2,
              [
                [
                  2,
                  [
                    [1, 'core'],
                    [6, 'application/json'],
                    [
                      8,
                      [
                        [
                          1,
                          [
                            [
                              2,
                              [
                                [
                                  4,
                                  [
                                    [2, 'path'],
                                    [4, 'name'],
                                    [5, 'string'],
                                    [19, 1],
                                  ],
                                ],
                              ],
                            ],
                          ],
                        ],
                      ],
                    ],
                    [
                      8,
                      [
                        [
                          1,
                          [
                            [
                              2,
                              [
                                [
                                  3,
                                  [
                                    [2, 'query'],
                                    [4, 'pretty'],
                                    [6, 'boolean'],
                                  ],
                                ],
                              ],
                            ],
                          ],
                        ],
                      ],
                    ],
                    [
                      8,
                      [
                        [
                          1,
                          [
                            [
                              1,
                              [
                                [3, 'body'],
                                [2, 'body'],
                                [4, 1],
                                [5, [[22, [[1, 'object']]]]],
                              ],
                            ],
                          ],
                        ],
                      ],
                    ],
                    [
                      9,
                      [
                        [
                          1,
                          [
                            [1, '200'],
                            [
                              2,
                              [
                                [
                                  1,
                                  [
                                    [1, 'fine'],
                                    [2, [[1, [[22, [[1, 'object']]]]]]],
                                  ],
                                ],
                              ],
                            ],
                          ],
                        ],
                      ],
                    ],
                    [
                      13,
                      [
                        [1, 'x-action'],
                        [2, [[2, '"list"']]],
                      ],
                    ],
                  ],
                ],
              ],
            ],
          ],
        ],
      ],
    ],
  ])
})
