// Exports one trace of two spans and one log record with the real exporters, then says what each export answered.
// node export.mjs http-json|http-protobuf|grpc ENDPOINT ORDER_ID
import { SpanKind, context, trace } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter as GrpcLogs } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtobufLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

const EXPORTERS = {
  'http-json': [JsonTraces, JsonLogs],
  'http-protobuf': [ProtobufTraces, ProtobufLogs],
  grpc: [GrpcTraces, GrpcLogs],
};

const [protocol, endpoint, orderId] = process.argv.slice(2);
const [Traces, Logs] = EXPORTERS[protocol];
const address = (path) => ({ url: protocol === 'grpc' ? endpoint : `${endpoint}${path}` });
const resource = resourceFromAttributes({ 'service.name': `node-${protocol}` });
const answers = {};

// Keeps what an exporter was told, since the SDK only logs it.
function observed(signal, exporter) {
  const send = exporter.export.bind(exporter);
  exporter.export = (items, done) =>
    send(items, (result) => {
      answers[signal] = { code: result.code, error: result.error?.message };
      done(result);
    });
  return exporter;
}

const spans = new BasicTracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor(observed('traces', new Traces(address('/v1/traces'))))],
});
const records = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter: observed('logs', new Logs(address('/v1/logs'))) })],
});

const tracer = spans.getTracer('clew-test', '1.0');
const parent = tracer.startSpan('POST /orders', { kind: SpanKind.SERVER, attributes: { 'order.id': orderId, price: 12.5 } });
const inside = trace.setSpan(context.active(), parent);
tracer.startSpan('INSERT orders', { kind: SpanKind.CLIENT, attributes: { rows: 3, cached: false } }, inside).end();
parent.addEvent('cart.checked', { items: 2 });
parent.end();
records.getLogger('clew-test').emit({
  eventName: 'order.stage',
  severityNumber: SeverityNumber.INFO,
  body: 'submitted',
  context: inside,
  attributes: { 'order.id': orderId, 'order.stage': 'SUBMITTED' },
});
await spans.forceFlush();
await records.forceFlush();
await spans.shutdown();
await records.shutdown();
const { traceId, spanId } = parent.spanContext();
console.log(JSON.stringify({ traceId, spanId, answers }));
