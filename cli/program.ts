/** All commands. */
import tab from '@bomb.sh/tab/commander';
import { Command } from 'commander';
import { addCatalog } from './commands/catalog.js';
import { addDoctor } from './commands/doctor.js';
import { addHealth } from './commands/health.js';
import { addKeys } from './commands/keys.js';
import { addModels } from './commands/models.js';
import { addNodes } from './commands/nodes.js';
import { addPools } from './commands/pools.js';
import { addPull } from './commands/pull.js';
import { addRun } from './commands/run.js';
import { addTasks } from './commands/tasks.js';
import { addUp } from './commands/up.js';
import { addWorkers } from './commands/workers.js';
import { addCommonOptions, type Runtime } from './session.js';
import { ownVersion } from './settings/places.js';

/** The program, ready to read its arguments. */
export function createProgram(runtime: Runtime): Command {
  const program = new Command('drover')
    .description('Speaks to Drover: runs models, and shows and changes what serves them.')
    .version(`drover ${ownVersion()}`, '-V, --version', 'say the version')
    .helpOption('-h, --help', 'say how it is used')
    .helpCommand('help [command]', 'say how a command is used')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    // Errors are told in one place, with their code.
    .configureOutput({ outputError: () => undefined })
    .showSuggestionAfterError()
    .exitOverride();
  addCommonOptions(program);
  addUp(program);
  addRun(program, runtime);
  addPull(program, runtime);
  addModels(program, runtime);
  addCatalog(program, runtime);
  addPools(program, runtime);
  addWorkers(program, runtime);
  addTasks(program, runtime);
  addNodes(program, runtime);
  addKeys(program, runtime);
  addHealth(program, runtime);
  addDoctor(program, runtime);
  tab(program, { completionCommandName: 'completion' });
  return program;
}
