/**
 * The actor: the name under which history remembers who wrote. It is read off the User-Agent, as programs call
 * themselves; it explains, it does not authorize.
 *
 *   deployment-controller/v0.1                        deployment-controller
 *   kubelet/node-1                                    kubelet/node-1           (one kubelet a node)
 *   kubectl/v1.33.1 (linux/amd64), as kubectl-apply   kubectl-apply            (kubectl's field managers name the verb)
 */

export function actorOf(userAgent: string | undefined, fieldManager: string | undefined): string {
  const product = userAgent?.trim().split(/\s/)[0] ?? ''
  const [name = '', detail] = product.split('/')
  if (name === 'kubectl' || /^kubectl\.\d/.test(name)) return kubectlActor(fieldManager)
  if (name === 'kubelet' && detail && !/^v?\d/.test(detail)) return product
  return name || fieldManager || 'unknown'
}

function kubectlActor(fieldManager: string | undefined): string {
  if (!fieldManager) return 'kubectl'
  return fieldManager.startsWith('kubectl') ? fieldManager : `kubectl/${fieldManager}`
}
