/**
 * Columns of who may do what: RBAC, certificates, webhooks, admission policies and flow control.
 */

import { humanDuration } from '@dinghy/shared/api/duration'
import type {
  CertificateSigningRequest,
  ClusterRoleBinding,
  FlowSchema,
  KubernetesObject,
  MutatingWebhookConfiguration,
  PriorityLevelConfiguration,
  RoleBinding,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '@dinghy/shared/api/types'
import type { Column } from '../resource-definition.ts'
import { ageColumn, column, count, nameColumn, wide } from './column.ts'

type Binding = RoleBinding | ClusterRoleBinding

export const roleBindingColumns: Column[] = [
  nameColumn,
  column<Binding>('Role', 'What is granted.', ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`),
  ageColumn,
  wide<Binding>('Users', 'Users it is granted to.', (binding) => subjects(binding, 'User')),
  wide<Binding>('Groups', 'Groups it is granted to.', (binding) => subjects(binding, 'Group')),
  wide<Binding>('ServiceAccounts', 'Service accounts it is granted to.', (binding) =>
    subjects(binding, 'ServiceAccount'),
  ),
]

export const certificateSigningRequestColumns: Column[] = [
  nameColumn,
  ageColumn,
  column<CertificateSigningRequest>('SignerName', 'Who is asked to sign.', ({ spec }) => spec?.signerName ?? ''),
  column<CertificateSigningRequest>('Requestor', 'Who asks.', ({ spec }) => spec?.username ?? ''),
  column<CertificateSigningRequest>('RequestedDuration', 'For how long.', ({ spec }) => {
    return spec?.expirationSeconds === undefined ? '<none>' : humanDuration(spec.expirationSeconds * 1000)
  }),
  column<CertificateSigningRequest>('Condition', 'What has been decided.', ({ status }) => {
    const has = (type: string) => (status?.conditions ?? []).some((condition) => condition.type === type)
    const decision = has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending'
    return [decision, has('Failed') && 'Failed', status?.certificate && 'Issued'].filter(Boolean).join(',')
  }),
]

export const webhookConfigurationColumns: Column[] = [
  nameColumn,
  count<MutatingWebhookConfiguration>(
    'Webhooks',
    'How many webhooks are called.',
    ({ webhooks }) => webhooks?.length ?? 0,
  ),
  ageColumn,
]

export const validatingAdmissionPolicyColumns: Column[] = [
  nameColumn,
  count<ValidatingAdmissionPolicy>(
    'Validations',
    'How many rules it has.',
    ({ spec }) => spec?.validations?.length ?? 0,
  ),
  column<ValidatingAdmissionPolicy>('ParamKind', 'The kind of its parameters.', ({ spec }) => {
    return spec?.paramKind ? `${spec.paramKind.apiVersion}/${spec.paramKind.kind}` : '<unset>'
  }),
  ageColumn,
]

export const validatingAdmissionPolicyBindingColumns: Column[] = [
  nameColumn,
  column<ValidatingAdmissionPolicyBinding>(
    'PolicyName',
    'The policy that is bound.',
    ({ spec }) => spec?.policyName ?? '',
  ),
  column<ValidatingAdmissionPolicyBinding>('ParamRef', 'Its parameters.', ({ spec }) => {
    const { namespace, name } = spec?.paramRef ?? {}
    if (!spec?.paramRef) return '<unset>'
    return namespace ? `${namespace}/${name ?? '*'}` : (name ?? '*')
  }),
  ageColumn,
]

export const flowSchemaColumns: Column[] = [
  nameColumn,
  column<FlowSchema>('PriorityLevel', 'Where matching requests wait.', ({ spec }) => {
    return spec?.priorityLevelConfiguration.name ?? '<none>'
  }),
  count<FlowSchema>('MatchingPrecedence', 'Lower is tried first.', ({ spec }) => spec?.matchingPrecedence ?? 0),
  column<FlowSchema>(
    'DistinguisherMethod',
    'What makes a flow.',
    ({ spec }) => spec?.distinguisherMethod?.type ?? '<none>',
  ),
  ageColumn,
  column<FlowSchema>('MissingPL', 'Whether its priority level is missing.', ({ status }) => {
    return status?.conditions?.find((condition) => condition.type === 'Dangling')?.status ?? '?'
  }),
]

export const priorityLevelColumns: Column[] = [
  nameColumn,
  column<PriorityLevelConfiguration>('Type', 'Limited or Exempt.', ({ spec }) => spec?.type ?? ''),
  column<PriorityLevelConfiguration>('NominalConcurrencyShares', 'Its share of the server.', ({ spec }) => {
    return spec?.limited?.nominalConcurrencyShares ?? '<none>'
  }),
  column<PriorityLevelConfiguration>('Queues', 'How many queues.', (level) => queuing(level)?.queues ?? '<none>'),
  column<PriorityLevelConfiguration>('HandSize', 'Queues per flow.', (level) => queuing(level)?.handSize ?? '<none>'),
  column<PriorityLevelConfiguration>('QueueLengthLimit', 'Requests per queue.', (level) => {
    return queuing(level)?.queueLengthLimit ?? '<none>'
  }),
  ageColumn,
]

interface ApiService extends KubernetesObject {
  spec?: { service?: { namespace?: string; name?: string } }
  status?: { conditions?: { type: string; status: string; reason?: string }[] }
}

export const apiServiceColumns: Column[] = [
  nameColumn,
  column<ApiService>('Service', 'Who serves the group.', ({ spec }) => {
    return spec?.service ? `${spec.service.namespace}/${spec.service.name}` : 'Local'
  }),
  column<ApiService>('Available', 'Whether it answers.', ({ status }) => {
    const available = status?.conditions?.find((condition) => condition.type === 'Available')
    if (!available) return 'Unknown'
    return available.status === 'True' ? 'True' : `${available.status} (${available.reason ?? ''})`
  }),
  ageColumn,
]

function queuing({ spec }: PriorityLevelConfiguration) {
  return spec?.limited?.limitResponse?.queuing
}

function subjects(binding: Binding, kind: string): string {
  return (binding.subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map((subject) => (kind === 'ServiceAccount' ? `${subject.namespace}/${subject.name}` : subject.name))
    .join(', ')
}
