package controllers_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// With OBJECTS_DIR set, the suite writes into that folder what GitOps tools get to see: under "seen" every status that
// any object ever had, under "applied" objects beside the manifests that made them. hack/argocd reads these. A file
// "complete" comes last, when every spec has run and passed.
var objectsDir = os.Getenv("OBJECTS_DIR")

// statusWrittenByOthers annotates objects whose status is not the operator's alone, and so not to be seen.
const statusWrittenByOthers = "example.com/status-written-by-others"

// seenObject is an object at one time, and what kstatus makes of it.
type seenObject struct {
	KStatus status.Status              `json:"kstatus"`
	Object  *unstructured.Unstructured `json:"object"`
}

// appliedObject is a manifest as somebody keeps it in Git, and what has become of it.
type appliedObject struct {
	Manifest *unstructured.Unstructured `json:"manifest"`
	Object   *unstructured.Unstructured `json:"object"`
}

// objectRecorder takes down what a watch shows.
type objectRecorder struct {
	mutex    sync.Mutex
	existing map[string]bool // by UID
	failures []error
}

// recordObjects watches until the end of the suite.
func recordObjects() {
	GinkgoHelper()
	if objectsDir == "" {
		return
	}
	Expect(os.RemoveAll(objectsDir)).To(Succeed())
	for _, folder := range []string{"seen", "applied"} {
		Expect(os.MkdirAll(filepath.Join(objectsDir, folder), 0o755)).To(Succeed())
	}
	watching, err := client.NewWithWatch(cluster, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("KMSKeyImportList"))
	stream, err := watching.Watch(context.Background(), list)
	Expect(err).NotTo(HaveOccurred())

	recorder, ended := &objectRecorder{existing: map[string]bool{}}, make(chan struct{})
	go func() {
		defer close(ended)
		for event := range stream.ResultChan() {
			recorder.note(event)
		}
	}()
	DeferCleanup(func() {
		// Each spec deletes what it made: when all of it is seen to be gone, nothing was missed.
		Eventually(recorder.left).WithTimeout(patience).Should(BeZero())
		Expect(recorder.failed()).To(BeEmpty())
		Expect(ended).NotTo(BeClosed(), "the watch lasted")
		stream.Stop()
		Eventually(ended).Should(BeClosed())
	})
}

func (r *objectRecorder) note(event watch.Event) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	object, ok := event.Object.(*unstructured.Unstructured)
	switch {
	case !ok || event.Type == watch.Error:
		r.failures = append(r.failures, fmt.Errorf("an event of type %s: %T", event.Type, event.Object))
	case event.Type == watch.Deleted:
		delete(r.existing, string(object.GetUID()))
	case object.GetAnnotations()[statusWrittenByOthers] != "":
		r.existing[string(object.GetUID())] = true
	default:
		r.existing[string(object.GetUID())] = true
		if err := writeSeen(object); err != nil {
			r.failures = append(r.failures, err)
		}
	}
}

func (r *objectRecorder) left() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return len(r.existing)
}

func (r *objectRecorder) failed() []error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return slices.Clone(r.failures)
}

func writeSeen(object *unstructured.Unstructured) error {
	computed, err := status.Compute(object)
	if err != nil {
		return err
	}
	return writeObject("seen", object, seenObject{computed.Status, object})
}

// writeApplied keeps a manifest beside what has become of it, for whoever compares them as Argo CD does.
func writeApplied(manifest, object *unstructured.Unstructured) {
	GinkgoHelper()
	if objectsDir != "" {
		Expect(writeObject("applied", object, appliedObject{manifest, object})).To(Succeed())
	}
}

// writeObject names the file by what matters of the object, so that nothing is written twice.
func writeObject(folder string, object *unstructured.Unstructured, content any) error {
	identity, err := json.Marshal([]any{object.GetUID(), object.GetAnnotations(), object.Object["spec"], object.Object["status"]})
	if err != nil {
		return err
	}
	digest := sha256.Sum256(identity)
	name := fmt.Sprintf("%s-%s-%s.json", object.GetNamespace(), object.GetName(), hex.EncodeToString(digest[:8]))
	encoded, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(objectsDir, folder, name), append(encoded, '\n'), 0o644)
}

var _ = ReportAfterSuite("objects", func(report Report) {
	allRan := report.PreRunStats.SpecsThatWillRun == report.PreRunStats.TotalSpecs
	if objectsDir != "" && report.SuiteSucceeded && allRan {
		Expect(os.WriteFile(filepath.Join(objectsDir, "complete"), nil, 0o644)).To(Succeed())
	}
})
