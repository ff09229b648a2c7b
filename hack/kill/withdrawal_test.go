//go:build kill && unix

package kill_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// oneByOne has a manager be in the middle of one withdrawal, and of no other.
const oneByOne = "--max-concurrent-reconciles=1"

// Killed at any step of a withdrawal, a manager leaves it to the next one to bring it to its end, and no key loses its
// material but those whose objects went with all that is needed to bring it back.
func TestWithdrawn(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		first  moment // while objects are made
		then   []moment
	}{
		"before KMS has done it": {
			"what was announced may not have been sent, and is not sent again before that is certain",
			finalizerReceived, []moment{withdrawingReceived, withdrawingDone, deletionReceived, releasedReceived},
		},
		"after KMS has done it": {
			"what was done is seen, and not done again",
			finalizerDone, []moment{deletionDone, deletionAnswered, withdrawnReceived, withdrawnDone},
		},
	}
	number := 0
	for name, tc := range cases {
		number++
		namespace := fmt.Sprintf("withdrawn-%d", number)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Log(tc.reason)
			w := newWorld(t, namespace, namespace)
			f := newFleet(t, w, 0)
			for n, what := range []fate{withdraws, pruned, withdraws, suspends, withdraws, adopts, withdraws, renames, withdraws, retains, withdraws} {
				k := newKey(n, namespace)
				k.object.OnMaterialDeleted = ""
				k.object.DeletionPolicy, k.adopted = "", false
				k.staysValid()
				k.ask(what)
				f.add(t, k)
			}
			f.dieAt(t, tc.first, func() error { return f.createAll(t.Context()) })
			f.liveUntil(t, f.settled)
			for n, at := range tc.then {
				f.dieAt(t, at, func() error {
					if n > 0 {
						return nil
					}
					return f.leaveAll(t.Context())
				})
			}
			w.kms.lose("DeleteImportedKeyMaterial")
			f.liveUntil(t, f.settled)
			f.finish(t, len(tc.then)+1)
		})
	}
}

// Killed at any step of an interruption, a manager leaves the key to the next one, which brings the same material back.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	steps := []moment{
		withdrawingReceived, withdrawingDone, deletionReceived, deletionDone, deletionAnswered, withdrawnReceived, withdrawnDone,
		importReceived, importDone,
	}
	cases := map[string]struct {
		reason string
		assume []localkms.Assumption
	}{
		"into an empty key only":   {"it is wrapped when the key is empty", nil},
		"wrapped before it is due": {"the record keeps what was wrapped, and no Secret is needed", []localkms.Assumption{localkms.ParametersOverMaterial}},
	}
	number := 0
	for name, tc := range cases {
		number++
		namespace := fmt.Sprintf("interrupted-%d", number)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Log(tc.reason)
			// The users' SDK reads no other times.
			assume := append([]localkms.Assumption{localkms.EpochTimestamps}, tc.assume...)
			w := newWorldOf(t, localkms.Options{Dialect: localkms.QKMS, Assume: assume}, namespace, namespace)
			f := newFleet(t, w, 0)
			for range len(steps) + 2 {
				f.add(t, newInterruptible(len(f.keys), namespace))
			}
			NewWithT(t).Expect(f.createAll(t.Context())).To(Succeed())
			f.liveUntil(t, f.settled)
			for n, at := range steps {
				f.dieAt(t, at, func() error {
					if n > 0 {
						return nil
					}
					return f.changeAll(t.Context())
				})
			}
			w.kms.lose("DeleteImportedKeyMaterial")
			f.liveUntil(t, f.settled)
			f.finish(t, len(steps))
		})
	}
}

// newInterruptible is a key of QKMS whose material may be deleted in order to import it again.
func newInterruptible(n int, namespace string) *key {
	k := newKey(10*n+1, namespace) // of the spec that QKMS imports
	k.object.Wrapping = nil
	k.object.ReimportPolicy = v1alpha1.ReimportAllowInterruption
	k.object.Expiration = &v1alpha1.Expiration{
		ValidFor: &metav1.Duration{Duration: 2 * time.Hour}, RenewBefore: &metav1.Duration{Duration: time.Hour},
	}
	return k
}

func (f *fleet) createAll(ctx context.Context) error {
	return f.each(func(k *key) error { return f.create(ctx, k) })
}

func (f *fleet) leaveAll(ctx context.Context) error {
	return f.each(func(k *key) error { return f.leave(ctx, k) })
}

// changeAll asks for another expiry of each key.
func (f *fleet) changeAll(ctx context.Context) error {
	return f.each(func(k *key) error {
		object := &v1alpha1.KMSKeyImport{}
		if err := f.w.k8s.Get(ctx, k.name, object); err != nil {
			return err
		}
		f.permit(k, v1alpha1.WithdrawnForReimport)
		k.object.Expiration.ValidFor = &metav1.Duration{Duration: 3 * time.Hour}
		patch := client.MergeFrom(object.DeepCopy())
		object.Spec.Expiration = k.object.Expiration.DeepCopy()
		return f.w.k8s.Patch(ctx, object, patch)
	})
}

func (f *fleet) each(do func(*key) error) error {
	for _, k := range f.keys {
		if err := do(k); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return nil
}

// dieAt is the life of a manager that comes to a moment, and is killed there. Something is done when it lives.
func (f *fleet) dieAt(t *testing.T, at moment, do func() error) {
	t.Helper()
	p := f.w.begin(t, oneByOne)
	f.w.ambush.lay(p.name, at, 1, func(string) { p.kill() })
	if err := do(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if err := f.visit(t.Context(), time.Now()); err != nil {
			return err
		}
		return errUnless(p.hasEnded(), fmt.Sprintf("no manager came to %q: %v", at, f.isServed()))
	})
	p.end(t)
}

// liveUntil is the life of a manager that ends when something holds.
func (f *fleet) liveUntil(t *testing.T, holds func(context.Context) error) {
	t.Helper()
	p := f.w.begin(t, oneByOne)
	eventually(t, func() error {
		if p.hasEnded() {
			return errors.New("the manager ended by itself: see " + p.log)
		}
		return errors.Join(f.visit(t.Context(), time.Now()), holds(t.Context()))
	})
	p.kill()
	p.end(t)
}

// settled reports whether every key is as its object says.
func (f *fleet) settled(ctx context.Context) error {
	if err := f.isServed(); err != nil {
		return err
	}
	return f.check(ctx)
}

// finish has every key used, and every deletion matched, when managers are gone.
func (f *fleet) finish(t *testing.T, kills int) {
	t.Helper()
	f.prove(t)
	f.checkTraces(t)
	NewWithT(t).Expect(f.w.kms.unanswered()).To(Equal(map[string]int{"DeleteImportedKeyMaterial": 1}), "one answer was to be lost")
	t.Logf("%d kills; %s; answers lost on the way: %v", kills, f.balance(t), f.w.kms.unanswered())
}
