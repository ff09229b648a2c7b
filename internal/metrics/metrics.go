// Package metrics is what the operator counts, beside what controller-runtime counts already.
package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// Collectors are the operator's own metrics. No label names an object or a key.
type Collectors struct {
	// Requests counts calls to KMS by operation and by result: "ok" or an error class of package kms.
	Requests *prometheus.CounterVec
	// Duration is how long they took, in seconds.
	Duration *prometheus.HistogramVec
}

// New returns collectors that are not registered yet.
func New() *Collectors {
	return &Collectors{
		Requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kms_key_import_kms_requests_total",
			Help: "Calls to KMS by operation and result (ok, or the class of the error).",
		}, []string{"operation", "result"}),
		Duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "kms_key_import_kms_request_duration_seconds",
			Help:    "Duration of calls to KMS by operation.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 12),
		}, []string{"operation"}),
	}
}

// Register makes every collector known to a registry.
func (c *Collectors) Register(registry prometheus.Registerer) error {
	for _, collector := range []prometheus.Collector{c.Requests, c.Duration} {
		if err := registry.Register(collector); err != nil {
			return err
		}
	}
	return nil
}

// Instrument counts the calls that are made through a service.
func (c *Collectors) Instrument(service kms.Service) kms.Service {
	return instrumented{service: service, collectors: c}
}

type instrumented struct {
	service    kms.Service
	collectors *Collectors
}

func (i instrumented) DescribeKey(ctx context.Context, keyID string) (kms.Key, error) {
	start := time.Now()
	key, err := i.service.DescribeKey(ctx, keyID)
	i.collectors.count("DescribeKey", start, err)
	return key, err
}

func (i instrumented) GetParametersForImport(ctx context.Context, keyARN string, wrapping kms.Wrapping) (kms.ImportParameters, error) {
	start := time.Now()
	parameters, err := i.service.GetParametersForImport(ctx, keyARN, wrapping)
	i.collectors.count("GetParametersForImport", start, err)
	return parameters, err
}

func (i instrumented) ImportKeyMaterial(ctx context.Context, request kms.ImportRequest) (kms.ImportResult, error) {
	start := time.Now()
	result, err := i.service.ImportKeyMaterial(ctx, request)
	i.collectors.count("ImportKeyMaterial", start, err)
	return result, err
}

func (i instrumented) DeleteImportedKeyMaterial(ctx context.Context, request kms.DeletionRequest) (kms.DeletionResult, error) {
	start := time.Now()
	result, err := i.service.DeleteImportedKeyMaterial(ctx, request)
	i.collectors.count("DeleteImportedKeyMaterial", start, err)
	return result, err
}

func (c *Collectors) count(operation string, start time.Time, err error) {
	result := "ok"
	if err != nil {
		result = string(kms.ClassOther)
		if kmsError, ok := kms.AsError(err); ok {
			result = string(kmsError.Class)
		}
	}
	c.Requests.WithLabelValues(operation, result).Inc()
	c.Duration.WithLabelValues(operation).Observe(time.Since(start).Seconds())
}
