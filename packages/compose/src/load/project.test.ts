import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import type { Project } from '../model.ts'
import { renderProject } from '../render.ts'
import { type LoadOptions, loadProject } from './project.ts'

const root = mkdtempSync(join(tmpdir(), 'dinghy-compose-test-'))
afterAll(() => rmSync(root, { recursive: true }))

let count = 0

/** Writes the files into a directory of their own, and loads what is there. */
function load(files: Record<string, string>, options: Partial<LoadOptions> = {}): Project & { warnings: string[] } {
  const directory = join(root, `shop${count++}`)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), text)
  }
  const warnings: string[] = []
  const cwd = join(directory, options.cwd ?? '')
  const given = { files: [], envFiles: [], profiles: [], env: {}, warn: (text: string) => warnings.push(text) }
  return { ...loadProject({ ...given, projectName: 'shop', ...options, cwd }), warnings }
}

function inDirectory({ directory }: Project, path: string): string {
  return join(directory, path)
}

describe('finding files', () => {
  test('in a directory above, with the override beside it', () => {
    const project = load(
      {
        'compose.yaml': 'services: {web: {image: a}}',
        'compose.override.yaml': 'services: {web: {tty: true}}',
        'docker-compose.yml': 'services: {}',
        'deep/down/x': '',
      },
      { cwd: 'deep/down' },
    )
    expect(project.services['web']).toMatchObject({ image: 'a', settings: { tty: true } })
    expect(project.files).toEqual(['compose.yaml', 'compose.override.yaml'].map((name) => inDirectory(project, name)))
  })

  test('COMPOSE_FILE, even in .env', () => {
    const files = {
      '.env': 'COMPOSE_FILE=a.yaml:b.yaml',
      'a.yaml': 'services: {web: {image: a}}',
      'b.yaml': 'services: {web: {image: b}}',
    }
    expect(load(files).services['web']?.image).toBe('b')
  })

  test.each([
    [{}, {}, 'no configuration file provided'],
    [{}, { files: ['x.yaml'] }, 'x.yaml: no such file or directory'],
    [{ 'compose.yaml': 'services: [' }, {}, 'yaml: '],
    [{ 'compose.yaml': 'service: {}' }, {}, "additional properties 'service' not allowed"],
  ])('%j %j: %s', (files, options, message) => {
    expect(() => load({ x: '', ...files }, options)).toThrow(message)
  })
})

describe('variables', () => {
  test('the shell wins over .env, --env-file replaces it, and env_file may use them', () => {
    const files = {
      '.env': 'TAG=from-file\nOTHER=x',
      'other.env': 'TAG=other',
      'app.env': 'APP=${TAG}-app\n',
      'compose.yaml': 'services: {web: {image: "i:${TAG}", env_file: app.env}}',
    }
    expect(load(files).services['web']).toMatchObject({ image: 'i:from-file', environment: { APP: 'from-file-app' } })
    expect(load(files, { env: { TAG: 'shell' } }).services['web']?.image).toBe('i:shell')
    expect(load(files, { envFiles: ['other.env'] }).services['web']?.image).toBe('i:other')
  })

  test('env_file: missing, not required, raw', () => {
    const file = (entry: string) => ({
      'compose.yaml': `services: {web: {image: i, env_file: [${entry}]}}`,
      'a.env': 'A="$X"',
    })
    expect(() => load(file('b.env'))).toThrow('b.env not found')
    expect(load(file('{path: b.env, required: false}')).services['web']?.environment).toEqual({})
    expect(load(file('{path: a.env, format: raw}')).services['web']?.environment).toEqual({ A: '"$X"' })
  })

  test('each is warned of once', () => {
    const { warnings } = load({ 'compose.yaml': 'services: {a: {image: "x$T"}, b: {image: "y$T"}}' })
    expect(warnings).toEqual(['The "T" variable is not set. Defaulting to a blank string.'])
  })
})

describe('several files', () => {
  test('paths are relative to the first, and tags end merging', () => {
    const project = load(
      {
        'compose.yaml': 'services: {web: {image: a, ports: ["80:80"], volumes: ["./x:/x"], environment: {A: "1"}}}',
        'more/prod.yaml': 'services: {web: {ports: !override ["81:80"], environment: !reset {}, volumes: ["./y:/y"]}}',
      },
      { files: ['compose.yaml', 'more/prod.yaml'] },
    )
    expect(project.services['web']).toMatchObject({
      ports: [{ published: '81' }],
      environment: {},
      volumes: [{ source: inDirectory(project, 'x') }, { source: inDirectory(project, 'y') }],
    })
  })

  test('anchors, merge keys and x- fields', () => {
    const text = 'x-base: &base {restart: always, x-note: hi}\nservices: {web: {<<: *base, image: a}}'
    expect(load({ 'compose.yaml': text }).services['web']?.restart).toBe('always')
  })
})

describe('extends', () => {
  test('in the same file, through several', () => {
    const project = load({
      'compose.yaml': `services:
        base: {image: a, environment: {A: "1", B: "1"}, command: base}
        middle: {extends: base, environment: {B: "2"}}
        web: {extends: {service: middle}, environment: {C: "3"}, command: own}`,
    })
    expect(project.services['web']).toMatchObject({
      image: 'a',
      environment: { A: '1', B: '2', C: '3' },
      command: ['own'],
    })
  })

  test('from another file, whose paths are its own', () => {
    const project = load({
      'compose.yaml': 'services: {web: {extends: {file: common/base.yaml, service: base}, volumes: ["./here:/here"]}}',
      'common/base.yaml': 'services: {base: {build: ., env_file: a.env, volumes: ["./there:/there"]}}',
      'common/a.env': 'A=1',
    })
    expect(project.services['web']).toMatchObject({
      build: { context: inDirectory(project, 'common') },
      environment: { A: '1' },
      volumes: [{ source: inDirectory(project, 'common/there') }, { source: inDirectory(project, 'here') }],
    })
    expect(Object.keys(project.services)).toEqual(['web'])
  })

  test.each([
    ['services: {web: {extends: base}}', 'cannot extend service "web": service "base" not found'],
    ['services: {a: {extends: b}, b: {extends: a}}', 'circular reference'],
    ['services: {web: {extends: {file: no.yaml, service: x}}}', 'no.yaml: no such file or directory'],
  ])('%s', (text, message) => {
    expect(() => load({ 'compose.yaml': text })).toThrow(message)
  })
})

describe('include', () => {
  test('brings services, volumes and an environment of its own', () => {
    const project = load({
      'compose.yaml': 'include: [db/compose.yaml]\nservices: {web: {image: a, depends_on: [db]}}',
      'db/compose.yaml': 'services: {db: {image: "pg:${V}", volumes: ["data:/d", "./init:/i"]}}\nvolumes: {data: {}}',
      'db/.env': 'V=16',
    })
    expect(project.services['db']).toMatchObject({
      image: 'pg:16',
      volumes: [{ source: 'data' }, { source: inDirectory(project, 'db/init') }],
    })
    expect(project.volumes['data']?.name).toBe('shop_data')
  })

  test('the long form, changed by an override', () => {
    const project = load({
      'compose.yaml': 'include: [{path: [a.yaml, b.yaml], project_directory: sub, env_file: v.env}]',
      'compose.override.yaml': 'services: {db: {tty: true}}',
      'a.yaml': 'services: {db: {image: "x:$V", volumes: ["./d:/d"]}}',
      'b.yaml': 'services: {db: {hostname: h}}',
      'v.env': 'V=7',
    })
    expect(project.services['db']).toMatchObject({ image: 'x:7', settings: { hostname: 'h', tty: true } })
    expect(project.services['db']?.volumes[0]?.source).toBe(inDirectory(project, 'sub/d'))
  })

  test.each([
    [
      { 'compose.yaml': 'include: [a.yaml]\nservices: {x: {image: b}}', 'a.yaml': 'services: {x: {image: a}}' },
      'services.x conflicts with imported resource',
    ],
    [{ 'compose.yaml': 'include: [a.yaml]', 'a.yaml': 'include: [compose.yaml]' }, 'include cycle detected'],
  ])('%j', (files, message) => {
    expect(() => load(files)).toThrow(message)
  })
})

describe('profiles', () => {
  const files = {
    'compose.yaml': `services:
      web: {image: a}
      debug: {image: a, profiles: [dev, test], depends_on: [tool]}
      tool: {image: a, profiles: [dev]}
      broken: {image: a, profiles: [other], depends_on: [nothing]}`,
  }
  const names = (options: Partial<LoadOptions>) => Object.keys(load(files, options).services)

  test.each<[Partial<LoadOptions>, string[]]>([
    [{}, ['web']],
    [{ profiles: ['dev'] }, ['web', 'debug', 'tool']],
    [{ env: { COMPOSE_PROFILES: 'dev,x' } }, ['web', 'debug', 'tool']],
    [{ targets: ['tool'] }, ['web', 'debug', 'tool']],
  ])('%j', (options, expected) => {
    expect(names(options)).toEqual(expected)
  })

  test('a dependency that is off', () => {
    expect(() => names({ profiles: ['test'] })).toThrow('depends on service "tool", whose profile is not active')
    expect(load(files).disabled).toEqual(['debug', 'tool', 'broken'])
  })
})

describe('references', () => {
  test.each([
    ['networks: [n]', 'refers to undefined network n'],
    ['volumes: ["v:/x"]', 'refers to undefined volume v'],
    ['secrets: [s]', 'refers to undefined secret s'],
    ['depends_on: [d]', 'depends on undefined service "d"'],
    ['depends_on: [web]', 'dependency cycle detected: web -> web'],
  ])('%s', (field, message) => {
    expect(() => load({ 'compose.yaml': `services: {web: {image: a, ${field}}}` })).toThrow(message)
  })

  test('a link’s alias is a name of what it links to; an optional dependency may be missing', () => {
    const project = load({
      'compose.yaml':
        'services: {web: {image: a, links: ["db:database"], depends_on: {x: {condition: service_started, required: false}}}, db: {image: b}}',
    })
    expect(project.services['db']?.networks['default']?.aliases).toEqual(['database'])
    expect(Object.keys(project.services['web']?.depends_on ?? {})).toEqual(['db'])
  })
})

test.each([
  [{ projectName: 'given' }, 'given'],
  [{ projectName: undefined, env: { COMPOSE_PROJECT_NAME: 'env' } }, 'env'],
  [{ projectName: undefined }, 'from-file'],
])('the project’s name: %j', (options, name) => {
  expect(load({ 'compose.yaml': 'name: from-file\nservices: {}' }, options).name).toBe(name)
})

test('what `config` prints loads as the same project', () => {
  const project = load({
    'compose.yaml': `
      services:
        web:
          build: {context: ., args: {A: "1"}, tags: [x]}
          command: [sh, -c, 'echo $$HOME']
          entrypoint: []
          ports: ["127.0.0.1:80-81:80-81/udp"]
          volumes: ["data:/d:ro", ".:/src", {type: tmpfs, target: /t, tmpfs: {size: 1m}}]
          networks: {front: {aliases: [w]}, back: }
          depends_on: {db: {condition: service_healthy}}
          secrets: [{source: s, mode: 0440}]
          configs: [c]
          ulimits: {nofile: {soft: 1, hard: 2}}
          devices: ["/dev/null:/dev/x:r"]
          extra_hosts: ["h:1.2.3.4"]
          deploy: {replicas: 3, resources: {limits: {cpus: "0.5", memory: 64m}, reservations: {memory: 32m}}}
          stop_grace_period: 1m30s
        db: {image: pg, healthcheck: {test: ok, interval: 1500ms}, network_mode: none, attach: false}
      networks: {front: {internal: true, ipam: {config: [{subnet: 10.0.0.0/24}]}}, back: {external: true, name: b}}
      volumes: {data: {driver_opts: {o: bind}}}
      secrets: {s: {environment: S}}
      configs: {c: {content: "text"}}`,
    '.env': 'S=hidden',
  })
  const { warnings: _warnings, ...loaded } = project
  expect(loaded.services['web']?.secrets[0]?.mode).toBe(0o440)
  const printed = stringify(renderProject(loaded))
  expect(printed).not.toContain('hidden')
  expect(parse(printed)).toMatchObject({ services: { web: { command: ['sh', '-c', 'echo $$HOME'] } } })
  writeFileSync(join(project.directory, 'compose.yaml'), printed)
  const { warnings: _again, ...reloaded } = {
    warnings: [],
    ...loadProject({ files: [], envFiles: [], profiles: [], env: {}, cwd: project.directory, warn: () => undefined }),
  }
  expect(reloaded).toEqual(loaded)
})
