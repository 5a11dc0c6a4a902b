import { expect, test } from 'vitest'
import { HttpServer } from '@dinghy/shared/http/server'
import { requestInfo, type RequestInfo } from './request-info.ts'
import { addResourceRoutes } from './routes.ts'

const cases: [method: string, path: string, expected: string][] = [
  ['GET', '/api/v1/nodes', 'list nodes'],
  ['GET', '/api/v1/nodes/node-1', 'get nodes name=node-1'],
  ['GET', '/api/v1/nodes/node-1/status', 'get nodes/status name=node-1'],
  ['GET', '/api/v1/namespaces', 'list namespaces'],
  ['GET', '/api/v1/namespaces/blue', 'get namespaces ns=blue name=blue'],
  ['PUT', '/api/v1/namespaces/blue/finalize', 'update namespaces/finalize ns=blue name=blue'],
  ['GET', '/api/v1/namespaces/blue/status', 'get namespaces/status ns=blue name=blue'],
  ['GET', '/api/v1/namespaces/blue/pods', 'list pods ns=blue'],
  ['GET', '/api/v1/namespaces/blue/pods/', 'list pods ns=blue'],
  ['GET', '/api/v1/namespaces/blue/pods?watch=true', 'watch pods ns=blue'],
  ['GET', '/api/v1/namespaces/blue/pods?watch=0', 'list pods ns=blue'],
  ['GET', '/api/v1/watch/namespaces/blue/pods', 'watch pods ns=blue'],
  ['GET', '/api/v1/watch/namespaces/blue/pods/web', 'watch pods ns=blue name=web'],
  ['HEAD', '/api/v1/namespaces/blue/pods/web', 'get pods ns=blue name=web'],
  ['GET', '/api/v1/namespaces/blue/pods/web/log', 'get pods/log ns=blue name=web'],
  ['POST', '/api/v1/namespaces/blue/pods/web/exec', 'create pods/exec ns=blue name=web'],
  ['POST', '/api/v1/namespaces/blue/pods', 'create pods ns=blue'],
  ['POST', '/api/v1/namespaces/blue/bindings', 'create bindings ns=blue'],
  ['PATCH', '/apis/apps/v1/namespaces/blue/deployments/web', 'patch deployments.apps/v1 ns=blue name=web'],
  ['GET', '/apis/apps/v1/deployments', 'list deployments.apps/v1'],
  ['DELETE', '/apis/apps/v1/namespaces/blue/deployments', 'deletecollection deployments.apps/v1 ns=blue'],
  ['DELETE', '/apis/apps/v1/namespaces/blue/deployments/web', 'delete deployments.apps/v1 ns=blue name=web'],
  ['GET', '/api/v1/nodes/node-1/proxy/a/b', 'get nodes/proxy name=node-1 rest=/a/b'],
  ['GET', '/api/v1/nodes/node-1/proxy/', 'get nodes/proxy name=node-1 rest=/'],
  ['GET', '/api/v1/namespaces/blue/pods/web:80/proxy/a%20b/?c=d', 'get pods/proxy ns=blue name=web:80 rest=/a%20b/'],
  [
    'GET',
    '/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node',
    'get clusterroles.rbac.authorization.k8s.io/v1 name=system:node',
  ],
  [
    'GET',
    '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode',
    'get clusterroles.rbac.authorization.k8s.io/v1 name=system:node',
  ],
  ['GET', '/healthz', 'path get /healthz'],
  ['GET', '/', 'path get /'],
  ['GET', '/api', 'path get /api'],
  ['GET', '/api/v1', 'path get /api/v1'],
  ['GET', '/apis/apps', 'path get /apis/apps'],
  ['GET', '/apis/apps/v1', 'path get /apis/apps/v1'],
  ['POST', '/debug/pause', 'path post /debug/pause'],
]

function parser(query: string): URLSearchParams {
  return new URLSearchParams(query)
}
let info: RequestInfo
const { app } = new HttpServer({
  querystringParser: parser,
  ignoreTrailingSlash: true,
  notFound: (request) => {
    info = requestInfo(request, parser(''))
    return ''
  },
})
addResourceRoutes(app, async (request) => {
  info = requestInfo(request, request.query as URLSearchParams)
  return ''
})

test.each(cases)('%s %s is %s', async (method, path, expected) => {
  await app.inject({ method: method as 'GET', url: path })
  const what = info.group ? `${info.resource}.${info.group}/${info.version}` : info.resource
  const text = info.isResource
    ? [
        info.verb,
        what + (info.subresource ? `/${info.subresource}` : ''),
        info.namespace && `ns=${info.namespace}`,
        info.name && `name=${info.name}`,
        info.rest && !path.endsWith('pods/') && `rest=${info.rest}`,
      ]
    : ['path', info.verb, info.path]
  expect(text.filter(Boolean).join(' ')).toBe(expected)
})
