/**
 * An operator: a program that knows what a Website needs, and sees to it that this is there. It is what a Deployment's
 * controller is to a Deployment, and like that one it runs outside of the API server and talks to it by HTTP alone.
 *
 *     watch Websites ─┐
 *                     ├─► reconcile one Website: apply its ConfigMap and Deployment, write its status
 *  watch Deployments ─┘
 *
 *     node examples/operator/operator.mjs          with KUBECONFIG as kubectl has it
 */

import {
  AppsV1Api,
  createConfiguration,
  CustomObjectsApi,
  KubeConfig,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
  ServerConfiguration,
  setHeaderOptions,
} from '@kubernetes/client-node'
import { AsyncLocalStorage } from 'node:async_hooks'
import { pathToFileURL } from 'node:url'

const websites = { group: 'example.com', version: 'v1', plural: 'websites' }
const manager = 'website-operator'

/** What a Website owns. Pure: the same Website always wants the same objects. */
export function objectsOf({ apiVersion, kind, metadata: { name, namespace, uid }, spec }) {
  const labels = { website: name }
  // By this reference the garbage collector knows what to delete when the Website goes.
  const ownerReferences = [{ apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true }]
  const metadata = { name: `website-${name}`, namespace, labels, ownerReferences }
  const serve = `
    require('http').createServer((_, answer) => answer.end(require('fs').readFileSync('/site/index.html'))).listen(8080)
    process.on('SIGTERM', () => process.exit())`
  const container = {
    name: 'web',
    image: 'node',
    command: ['node', '-e', serve],
    ports: [{ containerPort: 8080 }],
    volumeMounts: [{ name: 'site', mountPath: '/site' }],
  }
  const volumes = [{ name: 'site', configMap: { name: metadata.name } }]
  return [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'index.html': spec.page } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: spec.replicas,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container], volumes } },
      },
    },
  ]
}

/** What to say of a Website, by its Deployment. Pure. */
export function statusOf({ spec }, deployment) {
  const replicas = deployment.status?.readyReplicas ?? 0
  return { replicas, phase: replicas === spec.replicas ? 'Ready' : 'Progressing' }
}

/** The revision that the running work is an answer to. */
const cause = new AsyncLocalStorage()

/** Every request says who asks and, which is Dinghy's own idea, because of which change: `dinghy why` tells of both. */
const introduction = {
  async pre(request) {
    request.setHeaderParam('User-Agent', manager)
    const revision = cause.getStore()
    if (revision) request.setHeaderParam('X-Dinghy-Cause', revision)
    return request
  },
  async post(response) {
    return response
  },
}

function clientOf(Api, config) {
  const baseServer = new ServerConfiguration(config.getCurrentCluster().server, {})
  const settings = { baseServer, authMethods: { default: config }, promiseMiddleware: [introduction] }
  return new Api(createConfiguration(settings))
}

async function run() {
  const config = new KubeConfig()
  config.loadFromDefault()
  const objects = clientOf(KubernetesObjectApi, config)
  const custom = clientOf(CustomObjectsApi, config)
  const apps = clientOf(AppsV1Api, config)

  /** Brings the world closer to what the Website says. Harmless to repeat, and it is repeated. */
  async function reconcile(website) {
    // Server-side apply: we own the fields that we send, others may own more.
    const apply = (object) => objects.patch(object, undefined, undefined, manager, true, PatchStrategy.ServerSideApply)
    const [, deployment] = await Promise.all(objectsOf(website).map(apply))
    const status = statusOf(website, deployment)
    const { phase, replicas } = website.status ?? {}
    if (phase === status.phase && replicas === status.replicas) return
    const { name, namespace } = website.metadata
    await custom.patchNamespacedCustomObjectStatus(
      { ...websites, namespace, name, body: { status } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    )
    console.log(`${namespace}/${name} is ${status.phase}`)
  }

  const known = new Map()
  /** By key, the revision that put it there. */
  const waiting = new Map()
  const keyOf = ({ metadata: { namespace, name } }) => `${namespace}/${name}`
  let isWorking = false

  /** One at a time; a Website that changes while it waits waits only once. */
  async function work() {
    if (isWorking) return
    isWorking = true
    for (const [key, revision] of waiting) {
      waiting.delete(key)
      const website = known.get(key)
      if (!website || website.metadata.deletionTimestamp) continue
      try {
        await cause.run(revision, () => reconcile(website))
      } catch (error) {
        console.error(`${key}: ${error.message}; trying again`)
        setTimeout(() => enqueue(key, revision), 1_000)
      }
    }
    isWorking = false
  }
  function enqueue(key, revision) {
    waiting.set(key, revision)
    void work()
  }

  const { group, version, plural } = websites
  const watches = [
    [`/apis/${group}/${version}/${plural}`, () => custom.listCustomObjectForAllNamespaces(websites), onWebsite],
    ['/apis/apps/v1/deployments', () => apps.listDeploymentForAllNamespaces(), onDeployment],
  ]
  function onWebsite(website, isGone) {
    if (isGone) known.delete(keyOf(website))
    else known.set(keyOf(website), website)
    enqueue(keyOf(website), website.metadata.resourceVersion)
  }
  function onDeployment({ metadata: { namespace, ownerReferences = [], resourceVersion } }) {
    const owner = ownerReferences.find(({ kind, controller }) => controller && kind === 'Website')
    if (owner) enqueue(`${namespace}/${owner.name}`, resourceVersion)
  }
  for (const [path, list, onChange] of watches) {
    const informer = makeInformer(config, path, list)
    for (const event of ['add', 'update']) informer.on(event, (object) => onChange(object, false))
    informer.on('delete', (object) => onChange(object, true))
    // The connection broke, or the kind is not there yet.
    informer.on('error', () => setTimeout(() => informer.start(), 1_000))
    await informer.start()
  }
  console.log('watching websites')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run()
