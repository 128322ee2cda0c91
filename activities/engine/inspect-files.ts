/** The files that a launch names: is the binary a program, is the model a model (B-PREFLIGHT-022, B-PREP-001). */
import { access, constants, open, stat } from 'node:fs/promises';
import type { PreparedEngine } from '../../contracts/pool.js';
import type { FileFacts, PreflightFacts } from '../../domain/preflight-facts.js';
import { systemReason } from '../failures.js';
import { readGgufHeader } from './gguf-header.js';

/** First bytes of what a kernel executes: ELF, Mach-O in its four shapes, or a script with its interpreter. */
const PROGRAM_MAGIC = ['7f454c46', 'feedface', 'feedfacf', 'cefaedfe', 'cffaedfe', 'cafebabe'];
const SCRIPT_MAGIC = '2321';

/** Whether the binary can be executed. Text without an interpreter is refused: the C library would give it to a shell. */
export async function inspectBinary(path: string): Promise<FileFacts> {
  try {
    if (!(await stat(path)).isFile()) return { path, problem: 'is not a file' };
    await access(path, constants.X_OK);
    const magic = await firstBytes(path, 4);
    const isProgram = PROGRAM_MAGIC.includes(magic) || magic.startsWith(SCRIPT_MAGIC);
    return isProgram ? { path } : { path, problem: 'ENOEXEC: is not a program' };
  } catch (err) {
    return { path, problem: systemReason(err) };
  }
}

/** Whether the model is there and, for llama.cpp, a GGUF file; with the sizes that the memory estimate needs. */
export async function inspectModel({
  model_path: path,
  engine,
}: Pick<PreparedEngine, 'model_path' | 'engine'>): Promise<PreflightFacts['model']> {
  try {
    const { size: bytes } = await stat(path);
    await access(path, constants.R_OK);
    if (engine !== 'llamacpp') return { path, bytes };
    const header = await readGgufHeader(path);
    return header === undefined ? { path, bytes, problem: 'is not a GGUF file' } : { path, bytes, ...header };
  } catch (err) {
    return { path, bytes: 0, problem: systemReason(err) };
  }
}

async function firstBytes(path: string, count: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(count), 0, count, 0);
    return buffer.subarray(0, bytesRead).toString('hex');
  } finally {
    await file.close();
  }
}
