/** The system's code of a failed call (`ENOENT`, `EEXIST` …), where it has one. */
export function errorCode(err: unknown): string | undefined {
  return err instanceof Error && 'code' in err && typeof err.code === 'string' ? err.code : undefined;
}
