// The manager of the KMS key import operator: flags and wiring.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // kubeconfigs of managed clusters, for `make run`
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/controllers"
	"github.com/keyimport-dev/kms-key-import-operator/internal/metrics"
	"github.com/keyimport-dev/kms-key-import-operator/internal/provider"
)

// Set by the linker, see the Makefile.
var (
	version = "unknown"
	commit  = "unknown"
)

const (
	name             = "kms-key-import-operator"
	defaultNamespace = "kms-key-import-system"
)

func main() {
	if err := run(ctrl.SetupSignalHandler(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "manager: "+err.Error())
		os.Exit(1)
	}
}

// flags are the settings of the manager.
type flags struct {
	provider          provider.Config
	parametersRate    float64
	resync            time.Duration
	concurrency       int
	namespaces        []string
	operatorNamespace string
	leaderElect       bool
	leaderNamespace   string
	leaseDuration     time.Duration
	renewDeadline     time.Duration
	retryPeriod       time.Duration
	metricsAddress    string
	probeAddress      string
	logLevel          string
	logFormat         string
	version           bool
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	var f flags
	set := flagSet(&f, stdout)
	switch err := set.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return nil
	case err != nil:
		return fmt.Errorf("%w (--help lists the flags)", err)
	case set.NArg() > 0:
		return fmt.Errorf("unexpected argument %q: the manager takes flags only (--help lists them)", set.Arg(0))
	}
	if f.version {
		_, err := fmt.Fprintf(stdout, "%s %s, commit %s, %s\n", name, version, commit, runtime.Version())
		return err
	}
	f.complete()
	if err := f.validate(); err != nil {
		return err
	}
	setLogger(f)
	return f.start(ctx)
}

func flagSet(f *flags, stdout io.Writer) *pflag.FlagSet {
	set := pflag.NewFlagSet("manager", pflag.ContinueOnError)
	set.SortFlags = false
	set.SetOutput(stdout)
	set.Usage = func() {
		_, _ = fmt.Fprintf(stdout, "The manager brings key material from Secrets into KMS keys of Origin EXTERNAL, and keeps it there.\n"+
			"AWS credentials come from the SDK's default chain, the cluster from --kubeconfig, KUBECONFIG or the Pod.\n\nUsage: manager [flags]\n\n%s",
			set.FlagUsagesWrapped(100))
	}
	set.StringVar(&f.provider.Endpoint, "kms-endpoint", "", "URL of the KMS; https, or http to a loopback address such as http://127.0.0.1:4566 (default: AWS's own for the region, or that of QKMS)")
	set.StringVar(&f.provider.Region, "kms-region", "", "region of the keys (default: AWS_REGION, or the region of the AWS profile, or for QKMS us-east-1)")
	set.StringVar((*string)(&f.provider.Dialect), "kms-dialect", "AWS", "dialect the KMS speaks: AWS or QKMS")
	set.Float64Var(&f.parametersRate, "get-parameters-rate", 1, "GetParametersForImport calls per second; the quota is shared by the whole account")
	set.DurationVar(&f.resync, "resync-interval", 10*time.Minute, "how often each key is looked at when nothing happens")
	set.IntVar(&f.concurrency, "max-concurrent-reconciles", 4, "how many objects are worked on at once")
	set.StringSliceVar(&f.namespaces, "namespaces", nil, "namespaces to watch, separated by commas (default: all)")
	set.StringVar(&f.operatorNamespace, "operator-namespace", "", "namespace of the operator's own records (default: POD_NAMESPACE, else "+defaultNamespace+")")
	set.BoolVar(&f.leaderElect, "leader-elect", false, "work only while holding the leader's Lease; needed with more than one replica")
	set.StringVar(&f.leaderNamespace, "leader-election-namespace", "", "namespace of the Lease (default: the operator's namespace)")
	set.DurationVar(&f.leaseDuration, "leader-election-lease-duration", 15*time.Second, "how long others wait for a leader that is silent")
	set.DurationVar(&f.renewDeadline, "leader-election-renew-deadline", 10*time.Second, "how long a leader tries to renew before it gives up")
	set.DurationVar(&f.retryPeriod, "leader-election-retry-period", 2*time.Second, "pause between tries to become or stay leader")
	set.StringVar(&f.metricsAddress, "metrics-bind-address", ":8080", "address of the Prometheus metrics; 0 turns them off")
	set.StringVar(&f.probeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 turns them off")
	set.StringVar(&f.logLevel, "log-level", "info", "error, info or debug; request and response bodies are never logged")
	set.StringVar(&f.logFormat, "log-format", "json", "json or text")
	set.AddGoFlag(flag.Lookup(config.KubeconfigFlagName))
	set.BoolVar(&f.version, "version", false, "print version, commit and Go version, and exit")
	return set
}

// complete fills in the defaults that depend on other values.
func (f *flags) complete() {
	f.operatorNamespace = cmp.Or(f.operatorNamespace, os.Getenv("POD_NAMESPACE"), defaultNamespace)
	f.leaderNamespace = cmp.Or(f.leaderNamespace, f.operatorNamespace)
}

func (f *flags) validate() error {
	switch {
	case f.parametersRate <= 0:
		return errors.New("--get-parameters-rate must be above 0: it is the number of GetParametersForImport calls per second")
	case f.resync < time.Second:
		return errors.New("--resync-interval must be at least 1s")
	case f.concurrency < 1:
		return errors.New("--max-concurrent-reconciles must be at least 1")
	case slices.Contains(f.namespaces, ""):
		return errors.New("--namespaces contains an empty name: leave the flag out to watch all namespaces")
	case !f.leaderTimesInOrder():
		return errors.New("--leader-election-lease-duration must be longer than --leader-election-renew-deadline, and that longer than --leader-election-retry-period")
	case !slices.Contains([]string{"error", "info", "debug"}, f.logLevel):
		return fmt.Errorf("--log-level %q is not one of error, info, debug", f.logLevel)
	case !slices.Contains([]string{"json", "text"}, f.logFormat):
		return fmt.Errorf("--log-format %q is not one of json, text", f.logFormat)
	default:
		return f.provider.Validate()
	}
}

// leaderTimesInOrder is what client-go asks of them.
func (f *flags) leaderTimesInOrder() bool {
	return f.retryPeriod > 0 && f.renewDeadline > f.retryPeriod && f.leaseDuration > f.renewDeadline
}

// setLogger fixes the verbosity for everybody. debug is logr's V(4): the Kubernetes client logs URLs from V(6) and
// bodies from V(8), which no flag reaches.
func setLogger(f flags) {
	level := map[string]slog.Level{"error": slog.LevelError, "info": slog.LevelInfo, "debug": slog.LevelDebug}[f.logLevel]
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewJSONHandler(os.Stderr, options)
	if f.logFormat == "text" {
		handler = slog.NewTextHandler(os.Stderr, options)
	}
	logger := logr.FromSlogHandler(handler)
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
}

func (f *flags) start(ctx context.Context) error {
	manager, err := f.manager()
	if err != nil {
		return err
	}
	collectors := metrics.New()
	if err := collectors.Register(ctrlmetrics.Registry); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	service, err := provider.New(ctx, f.provider)
	if err != nil {
		return err
	}
	reconciler := controllers.NewReconciler(controllers.Options{
		Client:         manager.GetClient(),
		Live:           manager.GetAPIReader(),
		KMS:            collectors.Instrument(service),
		Dialect:        f.provider.Dialect,
		Recorder:       manager.GetEventRecorder(name),
		Clock:          clock.RealClock{},
		Namespace:      f.operatorNamespace,
		Watched:        f.namespaces,
		Resync:         f.resync,
		ParametersRate: f.parametersRate,
	})
	if err := reconciler.SetupWithManager(ctx, manager, f.concurrency); err != nil {
		return fmt.Errorf("set up the controller: %w", err)
	}
	ctrl.Log.Info("Starting", "version", version, "commit", commit, "go", runtime.Version())
	return manager.Start(ctx)
}

func (f *flags) manager() (ctrl.Manager, error) {
	cluster, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find a cluster: %w (set KUBECONFIG, or run in a Pod)", err)
	}
	scheme := k8sruntime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	manager, err := ctrl.NewManager(cluster, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         controllers.CacheOptions(f.operatorNamespace, f.namespaces),
		Metrics:                       metricsserver.Options{BindAddress: f.metricsAddress},
		HealthProbeBindAddress:        f.probeAddress,
		LeaderElection:                f.leaderElect,
		LeaderElectionID:              name,
		LeaderElectionNamespace:       f.leaderNamespace,
		LeaderElectionReleaseOnCancel: true, // nothing runs after Start returns
		LeaseDuration:                 &f.leaseDuration,
		RenewDeadline:                 &f.renewDeadline,
		RetryPeriod:                   &f.retryPeriod,
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	return manager, errors.Join(manager.AddHealthzCheck("ping", healthz.Ping), manager.AddReadyzCheck("caches", cachesSynced(manager)))
}

// cachesSynced is not ready while the API server, or a missing right, keeps the caches from filling.
func cachesSynced(manager ctrl.Manager) healthz.Checker {
	return func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), 500*time.Millisecond)
		defer cancel()
		if !manager.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the caches are not in sync with the API server")
		}
		return nil
	}
}
