import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { declareMetrics } from './metrics.js';

const FOLDER = new URL('../deploy/grafana/dashboards/', import.meta.url);

interface Dashboard {
  uid: string;
  panels: { title: string; targets: { expr: string }[] }[];
}

const dashboards = readdirSync(FOLDER).map(
  (name) => JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as Dashboard,
);

/** Names of metrics have an underscore; functions stand before a bracket, labels in one. */
function metricsIn(expr: string): string[] {
  const bare = expr.replaceAll(/by \([^)]*\)|\{[^}]*\}/g, '');
  return [...bare.matchAll(/\b[a-z]+(?:_[a-z]+)+\b(?!\()/g)].map(([name]) => name);
}

test('the dashboards ask for metrics that there are, by labels that these have', () => {
  const registry = new Registry();
  declareMetrics(registry);
  const metrics = registry.getMetricsAsArray() as unknown as { name: string; labelNames: string[] }[];
  assert.deepEqual(dashboards.map(({ uid }) => uid).sort(), ['drover-pools', 'drover-tasks']);
  for (const { title, targets } of dashboards.flatMap(({ panels }) => panels)) {
    for (const { expr } of targets) {
      const names = metricsIn(expr);
      assert.equal(names.length, 1, `${title}: ${expr}: ${names.join()}`);
      const asked = names[0]?.replace(/_(bucket|sum|count)$/, '');
      const metric = metrics.find(({ name }) => name === names[0] || name === asked);
      assert.ok(metric, `${title}: ${expr}`);
      const labels = /by \(([^)]*)\)/.exec(expr)?.[1]?.split(', ') ?? [];
      for (const label of labels)
        assert.ok(['le', ...metric.labelNames].includes(label), `${title}: ${label}`);
    }
  }
});
