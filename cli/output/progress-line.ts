/** How far something is, in one line: a bar where somebody has said how large it is. */
import type { DownloadFrame } from '../../contracts/download.js';
import type { StepProgress } from '../../contracts/events.js';
import type { LayersLoaded } from '../../contracts/loading.js';

const BAR_WIDTH = 24;
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** `[######      ]  25 % of 4.1 GB, 38.2 MB/s, 1 min 20 s left`. */
export function progressLine({
  bytes_downloaded: done,
  bytes_total: total,
  speed_mbps,
  eta_ms,
  paused,
}: Extract<DownloadFrame, { stage: 'downloading' }>): string {
  const share = total === null || total === 0 ? undefined : Math.min(1, done / total);
  const how = share === undefined ? inBytes(done) : `${bar(share)} of ${inBytes(total ?? 0)}`;
  if (paused) return `${how}, paused`;
  const left = eta_ms === null ? '' : `, ${inTime(eta_ms)} left`;
  return `${how}, ${inBytes((speed_mbps * 1_000_000) / 8)}/s${left}`;
}

/** `loading [######      ]  25 % of 28 layers, 1.2 GB of GPU memory`. */
export function layersLine({ layers_loaded, layers_total, vram_mb }: LayersLoaded): string {
  const memory = vram_mb === 0 ? '' : `, ${inBytes(vram_mb * 1024 ** 2)} of GPU memory`;
  return `loading ${bar(layers_loaded / layers_total)} of ${layers_total} layers${memory}`;
}

/** How far a pool is that wakes: `[######      ]  25 %, loads the model, about 3.0 s to go`. */
export function preparationLine([step]: readonly StepProgress[]): string {
  if (step === undefined) return 'about to begin';
  const { pct, human } = step;
  return pct === null ? human : `${bar(pct / 100)}, ${human}`;
}

function bar(share: number): string {
  const filled = Math.round(share * BAR_WIDTH);
  const percent = String(Math.floor(share * 100)).padStart(3);
  return `[${'#'.repeat(filled)}${' '.repeat(BAR_WIDTH - filled)}] ${percent} %`;
}

function inBytes(bytes: number): string {
  const step = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const value = bytes / 1000 ** step;
  return `${step === 0 ? String(Math.round(value)) : value.toFixed(1)} ${UNITS[step] ?? ''}`;
}

function inTime(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${seconds % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
