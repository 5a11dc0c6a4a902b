import { expect, test } from 'vitest'
import { stubDomains } from './stub-domains.ts'

test('several name servers of a domain, and none', () => {
  expect(stubDomains('Example.com.=10.0.0.1,example.com=10.0.0.2:5353')).toEqual(
    new Map([['example.com', ['10.0.0.1', '10.0.0.2:5353']]]),
  )
  expect(stubDomains('')).toEqual(new Map())
})

test.each(['example.com', '=10.0.0.1', 'a=b=c'])('%j is no stub domain', (text) => {
  expect(() => stubDomains(text)).toThrow('is no stub domain')
})
