//go:build kill && unix

package kill_test

import (
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// hold deletes the material of keys whose objects say Hold. The manager that has seen it dies as soon as the record says
// so; the next one knows, and imports nothing, unless it is asked to: then it dies over the import.
func (f *fleet) hold(t *testing.T, keys ...*key) {
	t.Helper()
	g := NewWithT(t)
	for n, k := range keys {
		p := f.w.begin(t)
		// Before a manager has seen the key with its material, its absence might be an import that does not show yet.
		eventually(t, func() error {
			return errors.Join(errUnless(f.w.kms.hasSeen(p.name, k.arn), "not seen yet"), f.isQuiet(t, k))
		})
		f.w.kms.forbid(k.arn, true)
		f.w.ambush.lay(p.name, holdDone, 1, func(string) { p.kill() })
		g.Expect(f.deleteMaterial(t.Context(), k, time.Time{})).To(Succeed())
		p.end(t)

		p = f.w.begin(t)
		object := &v1alpha1.KMSKeyImport{}
		eventually(t, func() error {
			err := f.w.k8s.Get(t.Context(), k.name, object)
			return errors.Join(err, errUnless(stalledReason(object) == v1alpha1.ReasonMaterialDeleted, "the object does not say that the material was deleted"))
		})
		if k.left = n%2 == 0; k.left {
			p.kill()
			p.end(t)
			continue
		}
		f.w.kms.forbid(k.arn, false)
		f.w.ambush.lay(p.name, importDone, 1, func(string) { p.kill() })
		g.Expect(f.annotate(t.Context(), object, v1alpha1.AnnotationReimportRequestedAt, f.newRequest())).To(Succeed())
		p.end(t)
	}
}

// begin is start for tests that have nobody to tell of an error.
func (w *world) begin(t *testing.T, flags ...string) *process {
	t.Helper()
	p, err := w.start(flags...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// end waits until somebody has killed a manager.
func (p *process) end(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	g.Eventually(p.gone).WithTimeout(patience).Should(BeClosed(), "the manager is still alive")
	g.Expect(p.wasKilled()).To(BeTrue(), "the manager ended by itself: see %s", p.log)
}

// isQuiet says what the operator might still have to import.
func (f *fleet) isQuiet(t *testing.T, k *key) error {
	t.Helper()
	object, record := &v1alpha1.KMSKeyImport{}, &v1alpha1.KMSKeyRecord{}
	err := errors.Join(f.w.k8s.Get(t.Context(), k.name, object), f.w.k8s.Get(t.Context(), f.w.recordName(k.arn), record))
	return errors.Join(err, errUnless(isSettled(object) && isAnswered(object) && record.Imported != nil && record.Intent == nil, "something is under way"))
}

// holding are some keys whose objects say Hold.
func (f *fleet) holding(most int) []*key {
	var holding []*key
	for _, k := range f.keys {
		if k.holds() && len(holding) < most {
			holding = append(holding, k)
		}
	}
	return holding
}
