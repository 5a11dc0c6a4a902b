/**
 * GET /version. Clients choose their own version by it: some machines' kubectl is a dispatcher that runs the kubectl of
 * the server's minor version, so `major` and `minor` must be plain numbers.
 */

export const version = {
  major: '1',
  minor: '33',
  gitVersion: 'v1.33.1',
  gitCommit: 'dinghy',
  gitTreeState: 'clean',
  buildDate: '2025-05-15T00:00:00Z',
  goVersion: `node ${process.versions.node}`,
  compiler: 'v8',
  platform: `${process.platform === 'win32' ? 'windows' : process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
}
