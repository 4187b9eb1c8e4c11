// Publishes or works the cases of tests/losses with amqplib as OpenTelemetry instruments it.
// node losses.mjs child|links shop|mes BROKER ENDPOINT PREFIX CASES
// Prints a line when a part is done; waits for a line before the second part and before its end.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline/promises';
import { SpanKind, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { AmqplibInstrumentation } from '@opentelemetry/instrumentation-amqplib';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

const [mode, role, broker, endpoint, prefix, given] = process.argv.slice(2);
const cases = JSON.parse(given);
const exporter = new OTLPTraceExporter({ url: `${endpoint}/v1/traces` });
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': role }),
  spanProcessors: [new BatchSpanProcessor(exporter, { scheduledDelayMillis: 200 })],
});
provider.register();
registerInstrumentations({ instrumentations: [new AmqplibInstrumentation({ useLinksForConsume: mode === 'links' })] });
const amqp = createRequire(import.meta.url)('amqplib'); // required, not imported: that is what the instrumentation wraps

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const met = {};
const meet = (queue) => (met[queue] = (met[queue] ?? 0) + 1);
const until = async (wanted) => {
  while (Object.entries(wanted).some(([queue, count]) => (met[queue] ?? 0) < count)) await pause(50);
};

async function publish(channel, name, number) {
  const attributes = { 'order.id': `${prefix}-${name}-${number}` };
  await trace.getTracer('shop').startActiveSpan('POST /orders', { kind: SpanKind.SERVER, attributes }, async (span) => {
    channel.publish(name, cases.KEY, Buffer.from('{}'), { mandatory: name === 'unroutable' });
    await channel.waitForConfirms();
    span.end();
  });
}

async function shop(connection) {
  const channel = await connection.createConfirmChannel();
  for (const name of cases.CASES) await publish(channel, name, 1);
  console.log('published');
  await lines.next();
  for (const name of cases.AGAIN) await publish(channel, name, 2);
  console.log('published');
  await lines.next();
}

function settle(channel, queue, message) {
  const died = message.properties.headers['x-death'] !== undefined;
  if (cases.STOPPED.includes(queue)) channel.cancel(queue);
  if (cases.REQUEUED_ONCE.includes(queue) && !message.fields.redelivered) channel.nack(message);
  else if (cases.REJECTED.includes(queue)) channel.reject(message, false);
  else if (cases.REJECTED_ONCE.includes(queue) && !died) channel.nack(message, false, false);
  else channel.ack(message);
}

async function consume(channel, queue, leaveOpen = false) {
  const onMessage = (message) => {
    meet(queue);
    if (!leaveOpen) settle(channel, queue, message);
  };
  await channel.consume(queue, onMessage, { consumerTag: queue });
}

async function mes(connection) {
  const doomed = await amqp.connect(broker);
  const fragile = await doomed.createChannel();
  for (const queue of cases.DROPPED) await consume(fragile, queue, true);
  const channel = await connection.createChannel();
  for (const queue of cases.WORKED) await consume(channel, queue);
  console.log('ready');
  await until(Object.fromEntries(cases.DROPPED.map((queue) => [queue, 1])));
  await fragile.close();
  await doomed.close();
  await consume(channel, 'revived');
  let pulled = false;
  while (!pulled) {
    pulled = await channel.get(cases.PULLED);
    if (!pulled) await pause(50);
  }
  channel.ack(pulled);
  meet(cases.PULLED);
  await until(cases.MET);
  console.log('met');
  await until(cases.MET_AGAIN);
  console.log('met');
  await lines.next();
}

const connection = await amqp.connect(broker);
await (role === 'shop' ? shop : mes)(connection);
await connection.close();
await provider.shutdown();
process.exit(0);
