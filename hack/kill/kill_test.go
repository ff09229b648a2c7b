//go:build kill && unix

package kill_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// Killed at any moment, as often as it may be, a manager leaves every key to the next one, and in the end each is as its
// object says.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	w := newWorld(t, "kill", "kill-1", "kill-2", "kill-3", "kill-4")
	w.kms.witness = w.intentFirst
	f := newFleet(t, w, *askedKeys)
	trouble := &trouble{f: f, choice: choices(t, "trouble"), happened: map[string]int{}}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- trouble.run(ctx) }()

	for n, plan := range deaths(choices(t, "deaths"), *askedKills) {
		if err := w.liveAndDie(plan); err != nil {
			t.Fatalf("kill %d, %s: %v", n, plan, err)
		}
		select {
		case err := <-ended:
			t.Fatalf("trouble ended: %v", err)
		default:
		}
	}
	stop()
	g.Expect(<-ended).To(Succeed())
	w.faults.Clear("")
	t.Logf("%d kills, of which %v; meanwhile %s", *askedKills, w.ambush.reached, trouble.tell())
	for _, at := range slices.Sorted(maps.Keys(moments)) {
		if *askedKills >= 50 && w.ambush.times(at) == 0 {
			t.Errorf("no manager was killed at: %s", at)
		}
	}

	g.Expect(trouble.createRest(t.Context())).To(Succeed())
	f.serve(t)
	f.hold(t, f.holding(4)...)
	last, err := w.start()
	g.Expect(err).NotTo(HaveOccurred())
	// Renewals go on, so the world is stopped for each comparison, and the last manager never wakes up again.
	eventually(t, func() error {
		if err := last.pause(); err != nil {
			return err
		}
		if err := f.check(t.Context()); err != nil {
			return errors.Join(err, last.resume())
		}
		return nil
	})
	last.kill()
	g.Expect(last.wasKilled()).To(BeTrue(), "the manager ended by itself")
	f.prove(t)
	f.checkTraces(t)
	t.Logf("%s; answers lost on the way: %v", f.balance(t), w.kms.unanswered())
}

// death is how a manager comes to its end: at the n-th time of a moment, or a while after it began to speak to KMS, or
// after it was started.
type death struct {
	at    moment
	nth   int
	after time.Duration
	young bool
}

func (d death) String() string {
	switch {
	case d.at != "":
		return fmt.Sprintf("at %s, the %d. time", d.at, d.nth)
	case d.young:
		return fmt.Sprintf("%s after it was started", d.after)
	default:
		return fmt.Sprintf("%s after it first spoke to KMS", d.after)
	}
}

// moments are at which managers are killed, and how often in a round.
var moments = map[moment]int{
	parametersDone: 1, intentReceived: 1, intentDone: 2, importReceived: 1, importDone: 4,
	resultReceived: 2, resultDone: 1, statusReceived: 1, statusDone: 1,
}

// deaths are so many, in rounds of the same kinds, in an order of their own.
func deaths(choice *rand.Rand, count int) []death {
	var round []death
	for _, at := range slices.Sorted(maps.Keys(moments)) {
		round = append(round, slices.Repeat([]death{{at: at}}, moments[at])...)
	}
	round = append(round, death{young: true}, death{young: true}, death{}, death{}, death{})
	var all []death
	for len(all) < count {
		all = append(all, round...)
	}
	all = all[:count]
	choice.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for i := range all {
		all[i].nth = 1 + choice.IntN(5)
		all[i].after = time.Duration(choice.Int64N(int64(2 * time.Second)))
	}
	return all
}

// liveAndDie is one life of a manager.
func (w *world) liveAndDie(plan death) error {
	p, err := w.start()
	if err != nil {
		return err
	}
	var sprung <-chan string
	if plan.at != "" {
		sprung = w.ambush.lay(p.name, plan.at, plan.nth, func(string) { p.kill() })
	}
	err = p.await(w, plan, sprung)
	w.ambush.lift()
	p.kill()
	if !p.wasKilled() {
		return fmt.Errorf("the manager ended by itself: see %s", p.log)
	}
	return err
}

// await returns when the time to die has come, or at the latest when it has waited for longer than anybody should.
func (p *process) await(w *world, plan death, sprung <-chan string) error {
	wait, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if !plan.young {
		select {
		case <-w.kms.firstRequest(p.name):
		case <-sprung:
			return nil
		case <-p.gone:
			return nil // which is looked into
		case <-wait.Done():
			return errors.New("the manager never spoke to KMS")
		}
	}
	if sprung == nil {
		timer := time.NewTimer(plan.after)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-p.gone:
		}
		return nil
	}
	select {
	case <-sprung:
	case <-p.gone:
	case <-wait.Done():
		return fmt.Errorf("no manager came to %q", plan.at)
	}
	return nil
}
