//go:build kill && unix

package kill_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// election is short, so that the tests are.
var election = []string{
	"--leader-elect", "--leader-election-lease-duration=8s", "--leader-election-renew-deadline=6s", "--leader-election-retry-period=1s",
}

// twoAtATime bounds how many pairs of managers there are at once: on a busy machine they lose leases by themselves.
var twoAtATime = make(chan struct{}, 2)

// Of two managers one leads. Whatever becomes of it, and whenever it comes back, every key ends as its object says; and so
// it does where both think that they lead.
func TestLeader(t *testing.T) {
	const size, nth = 30, 5
	cases := map[string]struct {
		reason string
		flags  []string
		at     moment
		strike func(*process) error
		// back is what becomes of a leader that was struck, once the other one has done its work.
		back func(t *testing.T, f *fleet, leader *process)
	}{
		"killed": {
			"KMS has the material, and nobody heard of it",
			election, importDone, func(p *process) error { p.kill(); return nil },
			func(*testing.T, *fleet, *process) {},
		},
		"paused before the intent": {
			"its lock is out of date: it must not send what it has wrapped",
			election, parametersDone, (*process).pause, comesTooLate,
		},
		"paused before the intent, without election": {
			"likewise, though nothing tells it that it no longer leads",
			nil, parametersDone, (*process).pause, goesOn,
		},
		"paused after the intent": {
			"within the validity of its intent it may send it (docs/design.md section 9): that is the same material, and what is wrong with it is healed",
			election, intentDone, (*process).pause, comesBack,
		},
		"paused beyond the intent": {
			"after notAfter it must not send it",
			election, intentDone, (*process).pause, func(t *testing.T, f *fleet, leader *process) {
				f.awaitNotAfter(t)
				comesTooLate(t, f, leader)
			},
		},
	}
	number := 0
	for name, tc := range cases {
		number++
		namespace := fmt.Sprintf("leader-%d", number)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			twoAtATime <- struct{}{}
			t.Cleanup(func() { <-twoAtATime })
			t.Log(tc.reason)
			w := newWorld(t, namespace, namespace)
			f := newFleet(t, w, size)
			for _, k := range f.keys {
				k.staysValid()
			}
			failed := make(chan error, 1)
			sprung := w.ambush.lay("", tc.at, nth, func(who string) {
				f.struckAt = time.Now()
				failed <- tc.strike(w.process(who))
			})
			stop := w.keepRunning(t, 2, append(tc.flags, "--max-concurrent-reconciles=1")...) // in the middle of one import, and of no other
			for _, k := range f.keys {
				NewWithT(t).Expect(f.create(t.Context(), k)).To(Succeed())
			}
			var leader *process
			eventually(t, func() error {
				select {
				case who := <-sprung:
					leader = w.process(who)
					return <-failed
				default:
					return errors.New("no leader was struck")
				}
			})
			f.settle(t)
			tc.back(t, f, leader)
			f.settle(t)
			stop()
			f.prove(t)
			f.checkTraces(t)
		})
	}
}

// staysValid has an object ask for no renewal within this test.
func (k *key) staysValid() {
	k.spared = false
	if k.expires() {
		k.object.Expiration.ValidFor.Duration = 2 * time.Hour
		k.object.Expiration.RenewBefore.Duration = time.Hour
	}
}

// settle waits until every key is as its object says.
func (f *fleet) settle(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		if err := errors.Join(f.visit(t.Context(), time.Now()), f.isServed()); err != nil {
			return err
		}
		return f.check(t.Context())
	})
}

// comesTooLate wakes the old leader up: it sends nothing more to KMS, writes nothing, and ends.
func comesTooLate(t *testing.T, f *fleet, leader *process) {
	t.Helper()
	g := NewWithT(t)
	imports, records := f.w.kms.received(leader.name), f.recordVersions(t)
	g.Expect(leader.resume()).To(Succeed())
	g.Eventually(leader.gone).WithTimeout(patience).Should(BeClosed(), "it has lost its lease")
	g.Expect(leader.command.ProcessState.ExitCode()).To(Equal(1), "it ends by itself: see %s", leader.log)
	g.Expect(f.w.kms.received(leader.name)).To(Equal(imports), "it has imported something after it had lost its lease")
	g.Expect(f.recordVersions(t)).To(Equal(records), "nor is there anything to write")
}

// goesOn wakes a manager up that never led: it finishes the pass it was in, and looks at every key, and sends and writes
// nothing.
func goesOn(t *testing.T, f *fleet, leader *process) {
	t.Helper()
	g := NewWithT(t)
	imports, records, looks := f.w.kms.received(leader.name), f.recordVersions(t), f.w.kms.looks(leader.name)
	g.Expect(leader.resume()).To(Succeed())
	eventually(t, func() error {
		return errUnless(f.w.kms.looks(leader.name) > looks+2*len(f.keys), "the manager still has keys to look at")
	})
	g.Expect(f.w.kms.received(leader.name)).To(Equal(imports), "it has imported something although it was overtaken")
	g.Expect(f.recordVersions(t)).To(Equal(records), "nor is there anything to write")
}

// comesBack wakes the old leader up: it may send the one import that it was about to, and ends.
func comesBack(t *testing.T, f *fleet, leader *process) {
	t.Helper()
	f.strays = 1
	g := NewWithT(t)
	g.Expect(leader.resume()).To(Succeed())
	g.Eventually(leader.gone).WithTimeout(patience).Should(BeClosed(), "it has lost its lease")
	g.Expect(leader.command.ProcessState.ExitCode()).To(Equal(1), "it ends by itself: see %s", leader.log)
}

// awaitNotAfter waits until what the leader has intended may not be sent any more.
func (f *fleet) awaitNotAfter(t *testing.T) {
	t.Helper()
	const intentValidity = 30 * time.Second
	eventually(t, func() error {
		if left := intentValidity - time.Since(f.struckAt); left >= 0 {
			return fmt.Errorf("the intent is valid for another %s", left)
		}
		return nil
	})
}

func (f *fleet) recordVersions(t *testing.T) map[string]string {
	t.Helper()
	list := &v1alpha1.KMSKeyRecordList{}
	NewWithT(t).Expect(f.w.k8s.List(t.Context(), list, client.InNamespace(f.w.system))).To(Succeed())
	versions := map[string]string{}
	for _, record := range list.Items {
		versions[record.KeyARN] = record.ResourceVersion
	}
	return versions
}

// keepRunning starts managers, and another one for each that ends, as a Deployment does, until it is told to stop.
func (w *world) keepRunning(t *testing.T, count int, flags ...string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, count)
	for range count {
		go func() { ended <- w.restart(ctx, flags) }()
	}
	stop = sync.OnceFunc(func() {
		cancel()
		for range count {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	t.Cleanup(stop)
	return stop
}

func (w *world) restart(ctx context.Context, flags []string) error {
	for ctx.Err() == nil {
		p, err := w.start(flags...)
		if err != nil {
			return err
		}
		select {
		case <-p.gone:
		case <-ctx.Done():
			p.kill()
		}
	}
	return nil
}
