import { expect, test } from 'vitest'
import { failuresIn, type Layout } from './plan.ts'
import { cablesScript, delayScript, hastenScript, makeScript, releaseScript, unplugScript } from './script.ts'

const layout: Layout = { slot: 0, nodes: [{ name: 'node-1' }, { name: 'node-2' }] }

function settingsOf(kind: 'switch' | 'node'): string {
  return kind === 'switch'
    ? `sh -c 'f=/proc/sys/net/bridge/bridge-nf-call-iptables; [ ! -e $f ] || echo 0 >$f; exec "$@"' -`
    : `sh -c 'cd /proc/sys/net/ipv4; echo 1 >ip_forward; echo 0 >conf/all/send_redirects; echo 0 >conf/default/send_redirects; cd "$OLDPWD"; exec "$@"' -`
}

test('makes switch, cables, nodes and routes, a process a namespace', () => {
  expect(makeScript(layout, () => false))
    .toBe(`: >./switch; unshare --net=./switch ${settingsOf('switch')} ip -force -batch - <<END
link add switch type bridge
link set switch up
link add machine type veth peer name dinghy0 netns /proc/$$/ns/net
link set machine master switch up
END
 ip -force -batch - <<END
address replace 172.30.0.1/24 dev dinghy0
address replace 172.30.0.200/32 dev dinghy0
link set dinghy0 up
route replace 10.244.1.0/24 via 172.30.0.11
route replace 10.244.2.0/24 via 172.30.0.12
route replace 10.96.0.0/16 nexthop via 172.30.0.11 nexthop via 172.30.0.12
END
: >./node-1; unshare --net=./node-1 ${settingsOf('node')} ip -force -batch - <<END &
link set lo up
link add eth0 type veth peer name node-1 netns ./switch
address replace 172.30.0.11/24 dev eth0
link set eth0 up
route replace default via 172.30.0.1
route replace unreachable 10.244.1.0/24
route replace 10.244.2.0/24 via 172.30.0.12
END
: >./node-2; unshare --net=./node-2 ${settingsOf('node')} ip -force -batch - <<END &
link set lo up
link add eth0 type veth peer name node-2 netns ./switch
address replace 172.30.0.12/24 dev eth0
link set eth0 up
route replace default via 172.30.0.1
route replace unreachable 10.244.2.0/24
route replace 10.244.1.0/24 via 172.30.0.11
END
wait
nsenter --net=./switch ip -force -batch - <<END
link set node-1 master switch up
link set node-2 master switch up
END
`)
})

test('for an ordinary user the machine is one more namespace', () => {
  const script = makeScript({ ...layout, rootless: true }, () => false)
  expect(script.startsWith(': >./machine; unshare --net=./machine ip -force -batch - <<END\nlink set lo up\n')).toBe(
    true,
  )
  expect(script).toContain('link add machine type veth peer name dinghy0 netns ./machine')
  expect(script).toContain(
    'nsenter --net=./machine ip -force -batch - <<END\naddress replace 172.30.0.1/24 dev dinghy0',
  )
})

test('what holds a namespace is entered, and a node that is off is not made', () => {
  const off = { ...layout, nodes: [{ name: 'node-1' }, { name: 'node-2', stopped: true }] }
  const script = makeScript(off, (name) => name === 'switch')
  expect(script.startsWith('nsenter --net=./switch sh')).toBe(true)
  expect(script).toContain('unshare --net=./node-1')
  expect(script).not.toContain('./node-2')
  // The others know where its pods will be when it comes back.
  expect(script).toContain('route replace 10.244.2.0/24 via 172.30.0.12')
})

test('a cut node has its cable pulled, a slow one a queue', () => {
  const nodes = [
    { name: 'node-1', cut: true },
    { name: 'node-2', delay: '200ms' },
  ]
  expect(cablesScript({ slot: 0, nodes })).toBe(`nsenter --net=./switch ip -force -batch - <<END
link set node-1 master switch down
link set node-2 master switch up
END
 ip -force -batch - <<END
route replace 10.96.0.0/16 nexthop via 172.30.0.12
END
`)
  expect(delayScript({ slot: 0, nodes })).toBe(`nsenter --net=./switch tc -force -batch - <<END
qdisc replace dev node-2 root netem delay 200ms
END
`)
  expect(hastenScript(2)).toContain('qdisc del dev node-2 root')
})

test('takes a node away with its cable, and namespaces with their files', () => {
  const nodes = [
    { name: 'node-1', cut: true },
    { name: 'node-2', stopped: true },
  ]
  expect(unplugScript({ slot: 0, nodes }, 'node-2', 2)).toBe(`nsenter --net=./switch ip -force -batch - <<END
link del node-2
END
 ip -force -batch - <<END
route replace unreachable 10.96.0.0/16
END
umount -l ./node-2 && rm ./node-2
`)
  expect(releaseScript([])).toBe('')
})

test('what is there already is no failure, everything else is', () => {
  const again = 'RTNETLINK answers: File exists\nCommand failed -:1\n\n'
  expect(failuresIn(again)).toEqual([])
  expect(failuresIn(`${again}RTNETLINK answers: Operation not permitted\nCommand failed -:3\n`)).toEqual([
    'RTNETLINK answers: Operation not permitted',
  ])
  expect(failuresIn('unshare: cannot open ./switch: Permission denied')).toHaveLength(1)
})
