package controllers_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/controllers"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms/awskms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/metrics"
)

const (
	operatorNamespace = "kms-key-import-system"
	operatorName      = "kms-key-import-operator"
	region            = "eu-west-1"

	// patience is for everything that has to happen without a timer of the operator's.
	patience = 20 * time.Second

	// promptly is for what a watch wakes the operator for: less than the first poll, 10 s, by far.
	promptly = 5 * time.Second
)

// What every spec shares: one API server, one local KMS, one operator that specs may stop and start again.
var (
	environment *envtest.Environment
	admin       *envtest.AuthenticatedUser
	itself      *envtest.AuthenticatedUser // the operator, with the rights of config/rbac and no others
	cluster     *rest.Config
	scheme      *runtime.Scheme
	k8s         client.Client // admin's, not cached
	local       *localKMS     // that specs and operator speak to
	kmsWire     *wire         // between the operator and the local KMS
	apiWire     *apiCalls     // between the operator and the API server
	now         skewedClock
	logs        *lockedBuffer
	operator    *runningOperator
)

func TestControllers(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "controllers")
}

var _ = BeforeSuite(func(ctx context.Context) {
	logs = &lockedBuffer{}
	// As verbose as --log-level=debug, for everybody who logs.
	logger := logr.FromSlogHandler(slog.NewTextHandler(io.MultiWriter(logs, GinkgoWriter), &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)

	scheme = runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())

	environment = &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	var err error
	cluster, err = environment.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(environment.Stop)
	admin, err = environment.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	Expect(err).NotTo(HaveOccurred())
	k8s, err = client.New(cluster, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}})).To(Succeed())
	createRoles(ctx)
	unthrottled := &rest.Config{QPS: -1} // as in main.go, where the API server does that
	itself, err = environment.AddUser(envtest.User{Name: "system:serviceaccount:" + operatorNamespace + ":" + operatorName}, unthrottled)
	Expect(err).NotTo(HaveOccurred())
	recordObjects()

	// It would take what the operator must not even offer to it.
	local = startLocalKMS(localkms.Options{Dialect: localkms.AWS, Assume: []localkms.Assumption{localkms.UnlistedKeySpecs}})
	kmsWire = newWire(http.DefaultTransport)
	apiWire = &apiCalls{}
	operator = startOperator()
	DeferCleanup(func() { operator.stop() })
}, NodeTimeout(2*time.Minute))

// runningOperator is a manager as main.go makes it, in this process.
type runningOperator struct {
	manager    ctrl.Manager
	reconciler *controllers.Reconciler
	metrics    *metrics.Collectors
	cancel     context.CancelFunc
	done       chan error
}

// settings of an operator that specs change.
type settings struct {
	parametersRate float64
	namespaces     []string
	home           string // the operator's own namespace
}

// startOperator starts a new process's worth of state: caches, memories and limiter are empty.
func startOperator(changes ...func(*settings)) *runningOperator {
	GinkgoHelper()
	s := settings{parametersRate: 1000, home: operatorNamespace}
	for _, change := range changes {
		change(&s)
	}
	skipNameValidation := true
	ownConfig := rest.CopyConfig(itself.Config())
	ownConfig.UserAgent = operatorName // which the API server puts down as the manager of each field that it writes
	ownConfig.Wrap(apiWire.around)
	manager, err := ctrl.NewManager(ownConfig, ctrl.Options{
		Scheme:     scheme,
		Cache:      controllers.CacheOptions(s.home, s.namespaces),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: &skipNameValidation},
	})
	Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(context.Background())
	service, err := awskms.New(ctx, awskms.Config{
		Dialect:     local.dialect,
		Region:      region,
		Endpoint:    local.url + "//", // as people write it; the slashes are not sent
		Credentials: localCredentials(),
		Transport:   kmsWire,
	})
	Expect(err).NotTo(HaveOccurred())
	collectors := metrics.New()
	reconciler := controllers.NewReconciler(controllers.Options{
		Client:         manager.GetClient(),
		Live:           manager.GetAPIReader(),
		KMS:            collectors.Instrument(service),
		Dialect:        local.dialect,
		Recorder:       manager.GetEventRecorder("kms-key-import-operator"),
		Clock:          &now,
		Namespace:      s.home,
		Watched:        s.namespaces,
		Resync:         time.Hour,
		ParametersRate: s.parametersRate,
	})
	Expect(reconciler.SetupWithManager(ctx, manager, 4)).To(Succeed())
	started := &runningOperator{
		manager: manager, reconciler: reconciler, metrics: collectors, cancel: cancel, done: make(chan error, 1),
	}
	go func() { started.done <- manager.Start(ctx) }()
	Eventually(func() error {
		// The last of the caches to be started, by the controller.
		secrets := &metav1.PartialObjectMetadataList{}
		secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
		return manager.GetClient().List(ctx, secrets)
	}).WithTimeout(patience).Should(Succeed())
	return started
}

func (o *runningOperator) stop() {
	o.cancel()
	Eventually(o.done).WithTimeout(patience).Should(Receive(BeNil()))
}

func requestFor(object client.Object) ctrl.Request {
	return ctrl.Request{NamespacedName: client.ObjectKeyFromObject(object)}
}

// skewedClock is the real clock, moved forward by what specs ask for. It drives the operator and the local KMS; the
// work queue keeps real time.
type skewedClock struct{ skew atomic.Int64 }

func (c *skewedClock) Now() time.Time                  { return time.Now().Add(time.Duration(c.skew.Load())) }
func (c *skewedClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }
func (c *skewedClock) advance(by time.Duration)        { c.skew.Add(int64(by)) }
func (c *skewedClock) setRight()                       { c.skew.Store(0) }
