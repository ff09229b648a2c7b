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
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
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

// restart is a new process: it remembers nothing. What it reads from its cache does not fail.
func (w *world) restart() {
	cached := interceptor.NewClient(w.objects, interceptor.Funcs{
		Get: func(ctx context.Context, next client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			return w.getCached(ctx, next, key, object, options...)
		},
		List: func(ctx context.Context, next client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			return w.listCached(ctx, next, list, options...)
		},
		Create: func(ctx context.Context, next client.WithWatch, object client.Object, options ...client.CreateOption) error {
			return w.write("create "+kindOf(object), func() error { return next.Create(ctx, object, options...) })
		},
		Update: func(ctx context.Context, next client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			return w.write("update "+kindOf(object), func() error { return next.Update(ctx, object, options...) })
		},
		Patch: func(ctx context.Context, next client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			return w.write("patch "+kindOf(object), func() error { return next.Patch(ctx, object, patch, options...) })
		},
		SubResourceUpdate: func(ctx context.Context, next client.Client, subResource string, object client.Object, options ...client.SubResourceUpdateOption) error {
			return w.write("update "+subResource, func() error { return next.SubResource(subResource).Update(ctx, object, options...) })
		},
	})
	live := interceptor.NewClient(w.objects, interceptor.Funcs{
		Get: func(ctx context.Context, next client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			return w.read("read "+kindOf(object), func() error { return next.Get(ctx, key, object, options...) })
		},
		List: func(ctx context.Context, next client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			return w.read("list "+listed(list), func() error { return next.List(ctx, list, options...) })
		},
	})
	w.reconciler = NewReconciler(Options{
		Client: cached, Live: live, KMS: scriptedKMS{w}, Dialect: w.dialect, Recorder: &events.FakeRecorder{}, Clock: w.clock,
		Namespace: operatorsOwn, Resync: worldResync, ParametersRate: 1000,
	})
}

func listed(list client.ObjectList) string {
	if _, ok := list.(*v1alpha1.KMSKeyRecordList); ok {
		return "records"
	}
	return "objects"
}

func kindOf(object client.Object) string {
	switch object.(type) {
	case *v1alpha1.KMSKeyRecord:
		return "record"
	case *v1alpha1.KMSKeyImport:
		return "object"
	case *corev1.Secret:
		return "Secret"
	default:
		return "metadata"
	}
}

func (w *world) write(name string, run func() error) error {
	return w.script.call(kindWrite, name, func() error {
		err := run()
		if err == nil {
			w.wrote++
		}
		return err
	})
}

func (w *world) read(name string, run func() error) error { return w.script.call(kindRead, name, run) }

// scriptedKMS is the operator's KMS.
type scriptedKMS struct{ w *world }

// DescribeKey implements kms.Service.
func (s scriptedKMS) DescribeKey(ctx context.Context, keyID string) (key kms.Key, err error) {
	err = s.w.script.call(kindAsk, "DescribeKey", func() (err error) {
		s.w.looked++
		key, err = s.w.kms.DescribeKey(ctx, keyID)
		return err
	})
	return key, err
}

// GetParametersForImport implements kms.Service.
func (s scriptedKMS) GetParametersForImport(ctx context.Context, keyARN string, wrapping kms.Wrapping) (parameters kms.ImportParameters, err error) {
	err = s.w.script.call(kindAsk, "GetParametersForImport", func() (err error) {
		parameters, err = s.w.kms.GetParametersForImport(ctx, keyARN, wrapping)
		return err
	})
	return parameters, err
}

// ImportKeyMaterial implements kms.Service. It counts what KMS really did.
func (s scriptedKMS) ImportKeyMaterial(ctx context.Context, request kms.ImportRequest) (result kms.ImportResult, err error) {
	s.w.checkEffect(request)
	err = s.w.script.call(kindEffect, "ImportKeyMaterial", func() (err error) {
		result, err = s.w.kms.ImportKeyMaterial(ctx, request)
		if err == nil {
			s.w.made = append(s.w.made, request.Expiry)
		}
		return err
	})
	return result, err
}

// DeleteImportedKeyMaterial implements kms.Service.
func (s scriptedKMS) DeleteImportedKeyMaterial(ctx context.Context, request kms.DeletionRequest) (result kms.DeletionResult, err error) {
	s.w.checkWithdrawal(request)
	err = s.w.script.call(kindEffect, "DeleteImportedKeyMaterial", func() (err error) {
		result, err = s.w.kms.DeleteImportedKeyMaterial(ctx, request)
		if err == nil {
			s.w.withdrawn++
		}
		return err
	})
	return result, err
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

// The work queue.

// rest makes passes until one finds nothing to do, as the work queue would: again after the time that a pass asks for, after
// a growing while where it failed, and in a new process where it died.
func (w *world) rest() {
	w.t.Helper()
	failures := 0
	var last ending
	for range passesUntilAtRest {
		fired := w.script.fired
		if !w.lags {
			w.pastRecord, w.pastObject = w.record(), w.object()
		}
		last = w.pass()
		w.lags = w.lagging && w.script.fired && !fired && w.pastObject != nil
		w.checkPass(last)
		switch {
		case last.died:
			w.restart()
			w.wait(longestTakeover)
		case last.err != nil:
			w.wait(min(firstRetry<<failures, lastRetry))
			failures++
		case w.atRest(last):
			return
		default:
			w.wait(last.RequeueAfter)
		}
	}
	w.t.Fatalf("not at rest after %d passes, the last of which came to %+v: %s", passesUntilAtRest, last, w.summary())
}

// ending is how a pass ended.
type ending struct {
	ctrl.Result
	err  error
	died bool
}

// whole reports whether the pass came to its own end.
func (e ending) whole() bool { return !e.died && e.err == nil && e.RequeueAfter != conflictDelay }

func (w *world) wait(d time.Duration) { w.clock.SetTime(w.clock.Now().Add(d)) }

// pass is one Reconcile, of a process that may die in it.
func (w *world) pass() (end ending) {
	w.wrote, w.looked = 0, 0
	w.passes++
	defer func() {
		switch recovered := recover().(type) {
		case nil:
		case death:
			end.died = true
		default:
			panic(recovered)
		}
	}()
	end.Result, end.err = w.reconciler.Reconcile(w.ctx, ctrl.Request{NamespacedName: w.name()})
	return end
}

// atRest reports whether a pass that did not fail changed nothing, and whether the next will not either.
func (w *world) atRest(end ending) bool {
	object := w.object()
	switch {
	case w.wrote > 0 || w.lags || !end.whole(), object != nil && object.DeletionTimestamp != nil:
		return false
	case object == nil || object.Spec.Suspend != nil:
		return true
	case w.looked == 0:
		return false
	default:
		reconciling := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReconciling)
		return reconciling == nil || reconciling.Reason == v1alpha1.ReasonKeyDisabled || reconciling.Reason == v1alpha1.ReasonSecretNotFound
	}
}

// summary is the status in one line.
func (w *world) summary() string {
	object := w.object()
	if object == nil {
		return "no object"
	}
	var all []string
	for _, condition := range object.Status.Conditions {
		all = append(all, fmt.Sprintf("%s=%s %s", condition.Type, condition.Status, condition.Reason))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
