package controllers

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms/awskms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

const (
	worldNamespace    = "payments"
	operatorsOwn      = "kms-key-import-system"
	worldResync       = 10 * time.Minute
	longestTakeover   = 20 * time.Second // a lease's duration, and some
	passesUntilAtRest = 40
)

// world is everything around a Reconciler, without processes and without waiting: an API server's objects, a local KMS,
// a clock that only the world moves, and the work queue. Every call of the Reconciler goes through a script, which may
// have it fail.
type world struct {
	t          *testing.T
	ctx        context.Context //nolint:containedctx // of the test, with the local KMS in it
	clock      *clocktesting.FakePassiveClock
	objects    client.WithWatch
	indexes    indexes
	admin      *awskmssdk.Client // of somebody who makes keys and uses them
	kms        kms.Service       // of the operator, as yet without faults
	dialect    kms.Dialect
	script     *script
	reconciler *Reconciler

	key                      string
	material                 []byte
	ciphertext               []byte // made with the key while it held the material
	objectsMade, secretsMade int
	wrote                    int // writes of the Reconciler that had an effect, in this pass
	looked                   int // and looks

	lagging    bool                   // whether the cache lags behind in the pass after the failure, ...
	lags       bool                   // whether it does now, ...
	pastRecord *v1alpha1.KMSKeyRecord // and what it shows then
	pastObject *v1alpha1.KMSKeyImport
	unseen     string // the name of an object that the cache does not show yet

	made       []kms.Expiry // imports that KMS made, in order
	madeBefore int          // the second part of the story
	withdrawn  int          // withdrawals that KMS made
	passes     int

	fingerprintKey []byte // once it is there
}

// origin is what all worlds share, because it is slow to make.
type origin struct {
	scheme       *runtime.Scheme
	wrappingKeys *localkms.WrappingKeys
	services     map[kms.Dialect]kms.Service // the operator's, without faults
}

const worldEndpoint = "http://127.0.0.1:1"

func newOrigin(t *testing.T) origin {
	t.Helper()
	o := origin{scheme: runtime.NewScheme(), wrappingKeys: localkms.NewWrappingKeys(), services: map[kms.Dialect]kms.Service{}}
	t.Cleanup(func() { _ = o.wrappingKeys.Close() })
	// What the Reconciler touches and no more: the fake client goes through all of it at every write.
	o.scheme.AddKnownTypes(corev1.SchemeGroupVersion, &corev1.Secret{}, &corev1.SecretList{}, &corev1.Namespace{})
	if err := v1alpha1.AddToScheme(o.scheme); err != nil {
		t.Fatal(err)
	}
	for _, dialect := range []kms.Dialect{kms.DialectAWS, kms.DialectQKMS} {
		service, err := awskms.New(t.Context(), awskms.Config{
			Dialect: dialect, Region: "eu-west-1", Endpoint: worldEndpoint, Credentials: worldCredentials(), Transport: inThisProcess{},
		})
		if err != nil {
			t.Fatal(err)
		}
		o.services[dialect] = service
	}
	return o
}

func worldCredentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(localkms.DefaultAccessKeyID, localkms.DefaultSecretAccessKey, "")
}

// newWorld has an empty key and a Secret, and no KMSKeyImport yet.
func newWorld(t *testing.T, from origin, dialect kms.Dialect, s *script) *world {
	t.Helper()
	w := &world{
		t: t, dialect: dialect, kms: from.services[dialect], script: s,
		clock: clocktesting.NewFakePassiveClock(time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)),
	}
	w.material = w.randomBytes()
	// Of the two trackers of objects this is the one that keeps no managed fields, which nothing here is about.
	tracker := clienttesting.NewObjectTracker(from.scheme, serializer.NewCodecFactory(from.scheme).UniversalDecoder())
	builder := fake.NewClientBuilder().WithScheme(from.scheme).WithObjectTracker(tracker).WithStatusSubresource(&v1alpha1.KMSKeyImport{})
	w.indexes = indexes{builder, map[string]client.IndexerFunc{}}
	w.must(addIndexes(t.Context(), w.indexes))
	w.objects = builder.Build()
	w.startKMS(from.wrappingKeys, s.assumed)
	w.must(w.objects.Create(w.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: worldNamespace}}))
	w.createSecret()
	w.restart()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// indexes are those of the cache; the fake client has them too.
type indexes struct {
	builder *fake.ClientBuilder
	records map[string]client.IndexerFunc
}

// IndexField implements client.FieldIndexer.
func (i indexes) IndexField(_ context.Context, object client.Object, field string, value client.IndexerFunc) error {
	i.builder.WithIndex(object, field, value)
	if _, ok := object.(*v1alpha1.KMSKeyRecord); ok {
		i.records[field] = value
	}
	return nil
}

// match reports whether a record is among those that a list by an index asks for.
func (i indexes) match(record *v1alpha1.KMSKeyRecord, options []client.ListOption) bool {
	asked := (&client.ListOptions{}).ApplyOptions(options)
	for field, value := range i.records {
		if exactly, ok := asked.FieldSelector.RequiresExactMatch(field); ok && value(record)[0] != exactly {
			return false
		}
	}
	return true
}

// startKMS starts a local KMS that no network lies in front of.
func (w *world) startKMS(wrappingKeys *localkms.WrappingKeys, assumed []localkms.Assumption) {
	w.t.Helper()
	options := localkms.Options{Dialect: localkms.Dialect(w.dialect), Now: w.clock.Now, WrappingKeys: wrappingKeys}
	if w.dialect == kms.DialectQKMS {
		options.Assume = append([]localkms.Assumption{localkms.EpochTimestamps}, assumed...) // for the SDK of admin
	}
	server, err := localkms.New(options)
	w.must(err)
	w.t.Cleanup(func() { _ = server.Close() })
	w.ctx = logf.IntoContext(context.WithValue(w.t.Context(), handlerKey{}, server), logr.Discard())
	w.admin = awskmssdk.New(awskmssdk.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(worldEndpoint), Credentials: worldCredentials(),
		HTTPClient: &http.Client{Transport: inThisProcess{}},
	})
	created, err := w.admin.CreateKey(w.ctx, &awskmssdk.CreateKeyInput{Origin: kmstypes.OriginTypeExternal})
	w.must(err)
	w.key = *created.KeyMetadata.Arn
}

// inThisProcess carries requests to the handler that their context holds.
type inThisProcess struct{}

type handlerKey struct{}

// RoundTrip implements http.RoundTripper.
func (inThisProcess) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	received := request.Clone(request.Context())
	received.Host, received.RequestURI = request.URL.Host, request.URL.RequestURI()
	received.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	request.Context().Value(handlerKey{}).(http.Handler).ServeHTTP(answer, received)
	response := answer.Result()
	response.Request = request
	return response, nil
}

// The objects.

func (w *world) name() types.NamespacedName {
	return types.NamespacedName{Namespace: worldNamespace, Name: "card-key"}
}

// object is the KMSKeyImport; nil when there is none.
func (w *world) object() *v1alpha1.KMSKeyImport {
	w.t.Helper()
	object := &v1alpha1.KMSKeyImport{}
	if err := w.objects.Get(w.ctx, w.name(), object); err != nil {
		w.must(client.IgnoreNotFound(err))
		return nil
	}
	return object
}

// record is the record of the key; nil when there is none.
func (w *world) record() *v1alpha1.KMSKeyRecord {
	w.t.Helper()
	record := &v1alpha1.KMSKeyRecord{}
	err := w.objects.Get(w.ctx, types.NamespacedName{Namespace: operatorsOwn, Name: recordName(w.key)}, record)
	if err != nil {
		w.must(client.IgnoreNotFound(err))
		return nil
	}
	return record
}

func (w *world) describe() *kmstypes.KeyMetadata {
	w.t.Helper()
	answer, err := w.admin.DescribeKey(w.ctx, &awskmssdk.DescribeKeyInput{KeyId: &w.key})
	w.must(err)
	return answer.KeyMetadata
}

// createSecret makes the Secret with the material, as a new object.
func (w *world) createSecret() {
	w.t.Helper()
	w.secretsMade++
	w.must(w.objects.Create(w.ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: worldNamespace, Name: "material", UID: types.UID(fmt.Sprintf("secret-%d", w.secretsMade)),
			Labels: map[string]string{v1alpha1.LabelKeyMaterial: v1alpha1.LabelKeyMaterialConsent},
		},
		Data: map[string][]byte{"material": bytes.Clone(w.material)},
	}))
}

func (w *world) secret() *corev1.Secret {
	w.t.Helper()
	secret := &corev1.Secret{}
	w.must(w.objects.Get(w.ctx, types.NamespacedName{Namespace: worldNamespace, Name: "material"}, secret))
	return secret
}

func (w *world) writeSecret(material []byte) {
	w.t.Helper()
	secret := w.secret()
	secret.Data["material"] = material
	w.must(w.objects.Update(w.ctx, secret))
}

func (w *world) randomBytes() []byte {
	w.t.Helper()
	random := make([]byte, 32)
	_, err := rand.Read(random)
	w.must(err)
	return random
}

// getCached reads from the cache: while that lags, the object as it was when the last pass began.
func (w *world) getCached(ctx context.Context, next client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if found, ok := object.(*v1alpha1.KMSKeyImport); ok && w.lags {
		w.pastObject.DeepCopyInto(found)
		return nil
	}
	return next.Get(ctx, key, object, options...)
}

// listCached lists from the cache: while that lags, the record as it was when the last pass began.
func (w *world) listCached(ctx context.Context, next client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
	found, ofRecords := list.(*v1alpha1.KMSKeyRecordList)
	if !w.lags || !ofRecords {
		err := next.List(ctx, list, options...)
		if imports, ok := list.(*v1alpha1.KMSKeyImportList); ok {
			imports.Items = slices.DeleteFunc(imports.Items, func(o v1alpha1.KMSKeyImport) bool { return o.Name == w.unseen })
		}
		return err
	}
	if w.pastRecord != nil && w.indexes.match(w.pastRecord, options) {
		found.Items = []v1alpha1.KMSKeyRecord{*w.pastRecord.DeepCopy()}
	}
	return nil
}
