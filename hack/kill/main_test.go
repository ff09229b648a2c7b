//go:build kill && unix

// Package kill_test kills managers for real: processes, by signals, while they import, renew, heal and adopt keys through
// a real kube-apiserver into a local KMS that loses answers, and while they delete material there. What has to hold in the
// end is read from KMS, from the records and from the objects, and never from a manager. `make kill` runs it.
package kill_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/format"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// What make kill asks for.
var (
	askedSeed  = flag.Uint64("seed", 0, "of the random choices; 0: a new one")
	askedKills = flag.Int("kills", 60, "how often the manager is killed, at least")
	askedKeys  = flag.Int("keys", 200, "how many keys are imported meanwhile")
)

// patience bounds every wait for something that has to happen. It says nothing about how long that should take: the
// machine may be slow and busy.
const patience = 5 * time.Minute

// stage is what all tests share.
var stage struct {
	cluster      *rest.Config
	scheme       *runtime.Scheme
	program      string // the manager
	wrappingKeys *localkms.WrappingKeys
}

func TestMain(m *testing.M) {
	flag.Parse()
	format.MaxLength = 0
	ctrl.SetLogger(logr.Discard())
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "kill:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	stage.scheme = runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(stage.scheme), v1alpha1.AddToScheme(stage.scheme)); err != nil {
		return 0, err
	}
	folder, err := os.MkdirTemp("", "kill")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if stage.program, err = buildManager(folder); err != nil {
		return 0, err
	}
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	if stage.cluster, err = environment.Start(); err != nil {
		return 0, errors.Join(err, environment.Stop())
	}
	defer func() { err = errors.Join(err, environment.Stop()) }()
	stage.cluster.QPS = -1
	stage.wrappingKeys = localkms.NewWrappingKeys()
	defer func() { _ = stage.wrappingKeys.Close() }() // never fails
	return m.Run(), nil
}

// buildManager builds what runs in Pods, with the race detector where there is a C compiler.
func buildManager(folder string) (string, error) {
	program := filepath.Join(folder, "manager")
	args := []string{"build", "-o", program}
	cgo, err := exec.Command("go", "env", "CGO_ENABLED").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	if strings.TrimSpace(string(cgo)) == "1" {
		args = append(args, "-race")
	}
	output, err := exec.Command("go", append(args, "../..")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the manager: %w\n%s", err, output)
	}
	return program, nil
}

// choices are random choices: the same ones whenever the seed and the name are the same. What processes make of them is
// not in anybody's hand.
func choices(t *testing.T, name string) *rand.Rand {
	t.Helper()
	seed := *askedSeed
	if seed == 0 {
		seed = rand.Uint64N(1 << 32)
		*askedSeed = max(seed, 1)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to repeat these choices: make kill SEED=%d", seed)
		}
	})
	var stream uint64
	for _, c := range name {
		stream = stream*31 + uint64(c)
	}
	return rand.New(rand.NewPCG(seed, stream))
}

// eventually waits until something holds.
func eventually(t *testing.T, holds func() error) {
	t.Helper()
	NewWithT(t).Eventually(func() string {
		if err := holds(); err != nil {
			return err.Error() // which reads better than an error's fields
		}
		return ""
	}).WithTimeout(patience).WithPolling(500 * time.Millisecond).Should(BeEmpty())
}
