//go:build kill && unix

package kill_test

import (
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

const (
	region = "eu-west-1"

	// mostProcesses is how many lives a world has access keys for.
	mostProcesses = 1000
)

// world is what managers work in: a part of the cluster, and a KMS of their own. Both are reached through doors that see
// every request, and outlive every manager.
type world struct {
	dialect    localkms.Dialect
	folder     string // of logs and kubeconfigs
	system     string // the namespace of the operator
	namespaces []string

	k8s    client.Client // past the door, not cached
	users  *sdk.Client   // those who make, use and damage keys
	faults *localkms.Faults
	ambush *ambush
	kms    *kmsDoor
	apiURL string
	kmsURL string

	mutex     sync.Mutex
	processes map[string]*process
}

func newWorld(t *testing.T, name string, namespaces ...string) *world {
	t.Helper()
	return newWorldOf(t, localkms.Options{Dialect: localkms.AWS}, name, namespaces...)
}

// newWorldOf is newWorld with a KMS of some other kind.
func newWorldOf(t *testing.T, options localkms.Options, name string, namespaces ...string) *world {
	t.Helper()
	w := &world{
		dialect: options.Dialect, folder: t.ArtifactDir(), system: name + "-system", namespaces: namespaces,
		faults: localkms.NewFaults(), ambush: &ambush{}, processes: map[string]*process{},
	}
	var err error
	if w.k8s, err = client.New(stage.cluster, client.Options{Scheme: stage.scheme}); err != nil {
		t.Fatal(err)
	}
	for _, namespace := range append([]string{w.system}, namespaces...) {
		if err := w.k8s.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
			t.Fatal(err)
		}
	}
	w.openAPIServer(t)
	w.openKMS(t, options)
	t.Cleanup(func() { // before the doors are closed
		w.killAll()
		for _, violation := range w.kms.violated() {
			t.Error(violation)
		}
	})
	return w
}

func (w *world) openAPIServer(t *testing.T) {
	t.Helper()
	door, err := newAPIDoor(stage.cluster, w.ambush)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(door)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	w.apiURL = server.URL
}

func (w *world) openKMS(t *testing.T, options localkms.Options) {
	t.Helper()
	options.Regions, options.Faults, options.WrappingKeys = []string{region}, w.faults, stage.wrappingKeys
	options.Principals = []localkms.Principal{{AccessKeyID: localkms.DefaultAccessKeyID, SecretAccessKey: localkms.DefaultSecretAccessKey}}
	for n := range mostProcesses {
		name := processName(n)
		options.Principals = append(options.Principals, localkms.Principal{AccessKeyID: name, SecretAccessKey: name})
	}
	handler, err := localkms.New(options)
	if err != nil {
		t.Fatal(err)
	}
	w.kms = newKMSDoor(handler, w.ambush)
	w.kms.mayDelete, w.kms.isEmpty = w.mayDelete, w.isEmpty
	server := httptest.NewServer(w.kms)
	t.Cleanup(func() {
		_ = handler.Close() // never fails
		server.Close()
	})
	w.kmsURL = server.URL
	w.users = sdk.New(sdk.Options{
		Region: region, BaseEndpoint: &server.URL,
		Credentials: credentials.NewStaticCredentialsProvider(localkms.DefaultAccessKeyID, localkms.DefaultSecretAccessKey, ""),
	})
	w.warmUp(t)
}

// warmUp has the wrapping keys made: no manager should have to wait for them.
func (w *world) warmUp(t *testing.T) {
	t.Helper()
	keyARN := w.createKey(t, types.KeySpecSymmetricDefault)
	lengths := []types.WrappingKeySpec{types.WrappingKeySpecRsa2048}
	if w.dialect != localkms.QKMS { // which has no other
		lengths = append(lengths, types.WrappingKeySpecRsa4096)
	}
	for _, length := range lengths {
		_, err := w.users.GetParametersForImport(t.Context(), &sdk.GetParametersForImportInput{
			KeyId: &keyARN, WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: length,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) createKey(t *testing.T, spec types.KeySpec) string {
	t.Helper()
	usage := types.KeyUsageTypeEncryptDecrypt
	switch {
	case strings.HasPrefix(string(spec), "HMAC_"):
		usage = types.KeyUsageTypeGenerateVerifyMac
	case strings.HasPrefix(string(spec), "ECC_"):
		usage = types.KeyUsageTypeSignVerify
	}
	created, err := w.users.CreateKey(t.Context(), &sdk.CreateKeyInput{Origin: types.OriginTypeExternal, KeySpec: spec, KeyUsage: usage})
	if err != nil {
		t.Fatal(err)
	}
	return *created.KeyMetadata.Arn
}

func (w *world) killAll() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, p := range w.processes {
		p.kill()
	}
}
