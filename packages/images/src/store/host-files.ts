/**
 * The configuration that official images have and a machine's own installation keeps elsewhere or lacks: a container
 * sees nothing of the machine's `/etc` but a few files.
 */

/** Something that the image brings along, on top of the machine's own files. */
export type HostFile = { link: string } | { text: string; mode: number } | { directory: true }

/** By absolute path. */
export type HostFiles = Record<string, HostFile>

function text(content: string): { text: string; mode: number } {
  return { text: content, mode: 0o644 }
}

/** As in the official image; what a worker writes goes to /tmp, whichever user it runs as. */
export const nginxFiles: HostFiles = {
  '/etc/nginx/nginx.conf': text(`worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;

events {
    worker_connections 1024;
}

http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    client_body_temp_path /tmp/client_temp;
    proxy_temp_path /tmp/proxy_temp;
    sendfile on;
    keepalive_timeout 65;
    include /etc/nginx/conf.d/*.conf;
}
`),
  '/etc/nginx/conf.d/default.conf': text(`server {
    listen 80;
    server_name localhost;

    location / {
        root /usr/share/nginx/html;
        index index.html index.htm;
    }
}
`),
  '/etc/nginx/mime.types': text(`types {
    text/html html htm;
    text/css css;
    text/plain txt;
    text/xml xml;
    application/javascript js mjs;
    application/json json;
    application/pdf pdf;
    application/wasm wasm;
    application/zip zip;
    font/woff woff;
    font/woff2 woff2;
    image/gif gif;
    image/jpeg jpeg jpg;
    image/png png;
    image/svg+xml svg svgz;
    image/webp webp;
    image/x-icon ico;
    video/mp4 mp4;
}
`),
  '/usr/share/nginx/html/index.html': text(
    '<!DOCTYPE html>\n<title>Welcome to nginx!</title>\n<h1>Welcome to nginx!</h1>\n',
  ),
  // So that `docker logs` shows them.
  '/var/log/nginx/access.log': { link: '/dev/stdout' },
  '/var/log/nginx/error.log': { link: '/dev/stderr' },
  '/var/lib/nginx': { directory: true },
}

/**
 * The official image's server takes connections from everywhere, a distribution's only from itself unless it is told.
 * A command that says it itself, and one that only asks for the version, stay as they are.
 */
export const redisEntrypoint = `#!/bin/sh
set -e
case "$1" in
  -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ]; then
  case "\${2:-}" in
    -v | --version | -h | --help | --test-memory) exec "$@" ;;
  esac
  case " $* " in
    *" --protected-mode "*) ;;
    *) set -- "$@" --protected-mode no ;;
  esac
fi
exec "$@"
`

/**
 * As in the official image, options and files that are no programs are for node: `docker run node -e 1`, and a
 * Dockerfile's `CMD ["server.js"]`. `test -x` alone would not do: some shells find a file that cannot be executed.
 */
export const nodeEntrypoint = `#!/bin/sh
set -e
is_for_node() {
  case "$1" in -*) return 0 ;; esac
  [ -n "$(command -v "$1")" ] || return 0
  [ -f "$1" ] && [ ! -x "$1" ]
}
if is_for_node "$1"; then set -- node "$@"; fi
exec "$@"
`
