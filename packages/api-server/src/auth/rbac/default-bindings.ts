/**
 * To whom the roles of default-roles.ts are bound, as Kubernetes 1.33 does, and kubeadm after it.
 *
 * A binding has the name of its role, or says which it is: NAME=ROLE.
 */

export const clusterBindings: Record<string, readonly string[]> = {
  'cluster-admin': ['Group system:masters'],
  'system:monitoring': ['Group system:monitoring'],
  'system:discovery': ['Group system:authenticated'],
  'system:basic-user': ['Group system:authenticated'],
  'system:public-info-viewer': ['Group system:authenticated', 'Group system:unauthenticated'],
  'system:node-proxier': ['User system:kube-proxy'],
  'dinghy:network-policy-agent': ['User system:kube-proxy'],
  'system:kube-controller-manager': ['User system:kube-controller-manager'],
  'system:kube-dns': ['ServiceAccount kube-system/kube-dns'],
  // kubeadm's.
  'system:coredns': ['ServiceAccount kube-system/coredns'],
  'dinghy:ingress': ['User dinghy:ingress'],
  'system:kube-scheduler': ['User system:kube-scheduler'],
  'system:volume-scheduler': ['User system:kube-scheduler'],
  // The Node authorizer has taken its place, and upstream keeps the binding without subjects.
  'system:node': [],
  'system:service-account-issuer-discovery': ['Group system:serviceaccounts'],
}

export const namespacedBindings: Record<string, readonly string[]> = {
  'kube-system/system::extension-apiserver-authentication-reader=extension-apiserver-authentication-reader': [
    'User system:kube-controller-manager',
    'User system:kube-scheduler',
  ],
  'kube-system/system::leader-locking-kube-controller-manager': [
    'User system:kube-controller-manager',
    'ServiceAccount kube-system/kube-controller-manager',
  ],
  'kube-system/system::leader-locking-kube-scheduler': [
    'User system:kube-scheduler',
    'ServiceAccount kube-system/kube-scheduler',
  ],
  'kube-system/system:controller:bootstrap-signer': ['ServiceAccount kube-system/bootstrap-signer'],
  'kube-system/system:controller:cloud-provider': ['ServiceAccount kube-system/cloud-provider'],
  'kube-system/system:controller:token-cleaner': ['ServiceAccount kube-system/token-cleaner'],
  'kube-public/system:controller:bootstrap-signer': ['ServiceAccount kube-system/bootstrap-signer'],
}

const bootstrapNodes = 'Group system:bootstrappers:kubeadm:default-node-token'

/** What kubeadm adds to a cluster. */
export const kubeadmBindings: Record<string, readonly string[]> = {
  'kubeadm:cluster-admins=cluster-admin': ['Group kubeadm:cluster-admins'],
  'kubeadm:get-nodes': [bootstrapNodes],
  'kubeadm:kubelet-bootstrap=system:node-bootstrapper': [bootstrapNodes],
  'kubeadm:node-autoapprove-bootstrap=system:certificates.k8s.io:certificatesigningrequests:nodeclient': [
    bootstrapNodes,
  ],
  'kubeadm:node-autoapprove-certificate-rotation=system:certificates.k8s.io:certificatesigningrequests:selfnodeclient':
    ['Group system:nodes'],
}
