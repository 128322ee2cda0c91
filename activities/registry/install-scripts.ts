/**
 * What is carried out on a node, step by step. Fixed words: what comes from the registry is told to them line by line, and is
 * to them a value and nothing else (B-SSH-008). Each may be carried out again at any time.
 */
import type { RemoteStep } from '../../domain/install.js';

/** A remote shell is given this alone: it reads a script of so many bytes, then what the script is told. */
export const READ_SCRIPT = `sh -c 'IFS= read -r n; s=$(dd bs=1 count="$n" 2>/dev/null); eval "$s"'`;

/** Before every script. What the node worker keeps is in `.runtime` of the installation. */
const PRELUDE = `exec 2>&1
IFS= read -r word
fact() { printf '%s %s %s\\n' "$word" "$1" "$2"; }
fail() { fact problem "$1"; exit 1; }
# Nothing goes on here once nobody hears of it.
guard() { exec 3<&0 </dev/null; { cat <&3; kill -TERM 0; } >/dev/null 2>&1 & }
fact begun yes
fact home "$HOME"
IFS= read -r folder
case "$folder" in '~/'*) folder="$HOME/\${folder#??}";; esac
state="$folder/.runtime"
PATH="$PATH:/usr/local/bin:/opt/homebrew/bin:$HOME/.local/bin"
export PATH
umask 077
`;

const TOOLS = `command -v git >/dev/null || fail no_git
command -v node >/dev/null || fail no_node
command -v npm >/dev/null || fail no_npm
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' || fail old_node
fact node "$(node --version)"`;

const FETCH = `IFS= read -r url
IFS= read -r branch
guard
export GIT_TERMINAL_PROMPT=0 GIT_ALLOW_PROTOCOL=https:http:ssh
export GIT_SSH_COMMAND="\${GIT_SSH_COMMAND:-ssh} -o BatchMode=yes -o StrictHostKeyChecking=yes"
if test -e "$folder" && ! test -d "$folder/.git"; then
  test -d "$folder" && test -z "$(ls -A "$folder")" || fail occupied
fi
mkdir -p -- "$folder" && cd -- "$folder" && test -w . || fail no_folder
umask 022
if ! test -d .git; then git init -q . && : >.git/drover-installs || fail no_folder; fi
# Half a checkout is ours to mend; a whole one that somebody has changed is not.
if ! test -f .git/drover-installs && test -n "$(git status --porcelain --untracked-files=no)"; then fail changed; fi
git fetch --no-tags -- "$url" "refs/heads/$branch" || fail clone
: >.git/drover-installs
git checkout --quiet --force --detach FETCH_HEAD || fail clone
rm -f .git/drover-installs
fact commit "$(git rev-parse HEAD)"`;

const BUILD = `guard
umask 022
cd -- "$folder" || fail no_folder
export CI=true npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false
npm ci || fail packages
if test -f setup/install-embedded-engine.mjs; then node setup/install-embedded-engine.mjs || fail engine; fi
npm run build || fail build`;

const VERIFY = `cd -- "$folder" || fail no_folder
test -f dist/workers/node/main.js && node --check dist/workers/node/main.js || fail no_program
fact version "$(node -p 'require("./package.json").version')"`;

const CONFIGURE = `IFS= read -r token
IFS= read -r keys
cd -- "$folder" && mkdir -p -- "$state" && chmod 700 "$state" || fail settings
put() { cat >"$state/$1.new" && chmod 600 "$state/$1.new" && mv -f -- "$state/$1.new" "$state/$1" || fail settings; }
printf '%s\\n' "$token" | put node-token || exit 1
printf '%s\\n' "$keys" | put payload-keys || exit 1
{
  printf 'DROVER_NODE_TOKEN_FILE="%s"\\nDROVER_PAYLOAD_KEYS_FILE="%s"\\n' "$state/node-token" "$state/payload-keys"
  printf 'DROVER_STATE_DIR="%s"\\nDROVER_NODE_ON_EXIT=leave\\n' "$state"
  while IFS= read -r line && test -n "$line"; do printf '%s\\n' "$line"; done
} | put node.env || exit 1`;

/** The command line of a process says whose it is; its number alone may be another's by now. */
const WORKER = `program="$folder/dist/workers/node/main.js"
alive() {
  pid=$(cat "$state/node.pid" 2>/dev/null) && test -n "$pid" &&
    ps -ww -p "$pid" -o args= 2>/dev/null | grep -F -q -- "$program"
}
`;

/** Engines outlive the worker that is exchanged, and the next one adopts them. */
const START = `${WORKER}cd -- "$folder" || fail no_folder
want="$(git rev-parse HEAD) $(cat "$state/node.env" "$state/node-token" "$state/payload-keys" | git hash-object --stdin)"
if alive; then
  if test "$(cat "$state/node.started" 2>/dev/null)" = "$want"; then fact worker kept; exit 0; fi
  kill -TERM "$pid"
  tries=0
  while alive && test "$tries" -lt 40; do sleep 1; tries=$((tries + 1)); done
  if alive; then kill -KILL "$pid"; sleep 1; fi
fi
node -e '
const { openSync, writeFileSync } = require("node:fs");
const { spawn } = require("node:child_process");
const [, program, folder, state] = process.argv;
const log = openSync(state + "/node.log", "a", 0o600);
const own = Object.entries(process.env).filter(([name]) => !/^(DROVER_|TEMPORAL_)/.test(name));
const args = ["--env-file=" + state + "/node.env", "--enable-source-maps", program];
const child = spawn(process.execPath, args, {
  cwd: folder, env: Object.fromEntries(own), detached: true, stdio: ["ignore", log, log],
});
child.on("error", () => process.exit(1));
child.on("spawn", () => {
  writeFileSync(state + "/node.pid", child.pid + "\\n", { mode: 0o600 });
  process.exit(0);
});
' "$program" "$folder" "$state" || fail start
printf '%s\\n' "$want" >"$state/node.started"
fact worker started`;

const LOG = `${WORKER}tail -n 30 "$state/node.log"
if alive; then fact alive yes; else fact alive no; fi`;

const STEPS: Readonly<Record<RemoteStep, string>> = {
  ...{ tools: TOOLS, fetch: FETCH, build: BUILD, verify: VERIFY },
  ...{ configure: CONFIGURE, start: START, log: LOG },
};

/** The script of a step. */
export function scriptOf(step: RemoteStep): string {
  return `${PRELUDE}${STEPS[step]}`;
}
