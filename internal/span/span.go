package span

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config is what a Tracer needs.
type Config struct {
	// Env are the standard OTEL_ variables. Those that say whether, where to and in
	// which format are read from here; sampling, batching, headers, certificates and
	// limits are read by OpenTelemetry from the process's environment.
	Env     map[string]string
	Version string              // of this server
	Logger  *slog.Logger        // hears of what could not be sent
	Clean   func(string) string // takes secrets out of a text; nil = there are none
}

// Tracer makes spans of what runs have done. It is safe for concurrent use.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	content  bool // what people and models have said is recorded, too
	clean    func(string) string
}

// Variables that this package reads itself.
const (
	endpointVariable = "OTEL_EXPORTER_OTLP_ENDPOINT"
	tracesVariable   = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	contentVariable  = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
)

// endpoint is where spans go; empty = nowhere.
func endpoint(env map[string]string) (string, error) {
	if strings.EqualFold(env["OTEL_SDK_DISABLED"], "true") {
		return "", nil
	}
	switch exporter := env["OTEL_TRACES_EXPORTER"]; exporter {
	case "", "otlp":
	case "none":
		return "", nil
	default:
		return "", fmt.Errorf("OTEL_TRACES_EXPORTER is %q: this server has otlp, and none", exporter)
	}
	url := env[tracesVariable]
	if base := env[endpointVariable]; url == "" && base != "" {
		url = strings.TrimRight(base, "/") + "/v1/traces"
	}
	if url == "" {
		return "", nil
	}
	if !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") {
		return "", fmt.Errorf("%s must be an http:// or https:// URL, like http://127.0.0.1:4318", endpointVariable)
	}
	for _, variable := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := env[variable]; protocol != "" {
			if protocol != "http/protobuf" {
				return "", fmt.Errorf("%s is %q: this server speaks http/protobuf, which collectors take on port 4318", variable, protocol)
			}
			break
		}
	}
	return url, nil
}

// New returns a tracer, or nil when the environment names no collector. It calls
// nobody yet: a collector that is away loses spans and delays nothing.
func New(ctx context.Context, cfg Config) (*Tracer, error) {
	url, err := endpoint(cfg.Env)
	if err != nil || url == "" {
		return nil, err
	}
	if cfg.Logger != nil {
		// Both are one for the whole process. Without them OpenTelemetry writes past our
		// log, and with it what the log keeps secret.
		otel.SetLogger(logr.FromSlogHandler(cfg.Logger.Handler()))
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { cfg.Logger.Warn("telemetry", "error", err) }))
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(url))
	if err != nil {
		return nil, fmt.Errorf("preparing to send spans to %s: %w", endpointVariable, err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "errand"), attribute.String("service.version", cfg.Version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv()) // the last one wins
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("reading OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	t := &Tracer{clean: cfg.Clean, content: captures(cfg.Env[contentVariable])}
	if t.clean == nil {
		t.clean = func(text string) string { return text }
	}
	t.provider = sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about), sdk.WithIDGenerator(generator{}))
	t.tracer = t.provider.Tracer("errand", trace.WithInstrumentationVersion(cfg.Version))
	return t, nil
}

// captures reads the two spellings that the conventions have had for a yes.
func captures(value string) bool {
	switch strings.ToLower(value) {
	case "true", "span_only", "span_and_event":
		return true
	}
	return false
}

// Close sends what is still to be sent, for as long as ctx allows.
func (t *Tracer) Close(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("sending the last spans: %w", err)
	}
	return nil
}
