//go:build kill && unix

package kill_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// trouble is everything that happens while managers are killed: objects come, material goes, Secrets are written again,
// and KMS fails.
type trouble struct {
	f        *fleet
	choice   *rand.Rand
	next     int // the key to create
	happened map[string]int
}

// run makes trouble until ctx ends.
func (t *trouble) run(ctx context.Context) error {
	const shortest, visits = 40 * time.Millisecond, 5
	for n := 0; ; n++ {
		pause := time.NewTimer(shortest + time.Duration(t.choice.Int64N(int64(3*shortest))))
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil
		case <-pause.C:
		}
		// What has begun is finished: half a deletion would be nobody's.
		all := context.WithoutCancel(ctx)
		if n%visits == 0 {
			if err := t.f.visit(all, time.Now()); err != nil {
				return err
			}
		}
		if err := t.make(all); err != nil {
			return err
		}
	}
}

func (t *trouble) make(ctx context.Context) error {
	switch dice := t.choice.IntN(100); {
	case dice < 45:
		return t.create(ctx)
	case dice < 62:
		return t.delete(ctx)
	case dice < 70:
		return t.rewrite(ctx)
	case dice < 83:
		return t.leave(ctx)
	default:
		t.happened["fault"]++
		return t.f.w.faults.Set(fault(t.choice))
	}
}

// delete takes the material of a key, and has somebody tell later, or never mind if it is back by then. What is held is
// another story.
func (t *trouble) delete(ctx context.Context) error {
	k := t.any(func(k *key) bool { return k.idle() && !k.spared && !k.holds() })
	if k == nil {
		return nil
	}
	t.happened["deletion"]++
	return t.f.deleteMaterial(ctx, k, time.Now().Add(time.Duration(t.choice.Int64N(int64(10*time.Second)))))
}

// rewrite leaves alone what belongs to an object that was deleted.
func (t *trouble) rewrite(ctx context.Context) error {
	k := t.any(func(k *key) bool { return k.applied > 0 && !k.away })
	if k == nil {
		return nil
	}
	t.happened["rewriting"]++
	return t.f.rewrite(ctx, k, t.choice.IntN(4) == 0)
}

// leave deletes the object of a key whose material nobody has deleted just now. A manager waits for longer than it lives
// here before it deletes the material, so most of these are still there when the killing is over.
func (t *trouble) leave(ctx context.Context) error {
	const often = 3
	k := t.any(func(k *key) bool {
		return k.idle() && k.tellAt.IsZero() && !k.spared && !k.holds() && k.applied < often
	})
	if k == nil {
		return nil
	}
	t.happened["leaving"]++
	return t.f.leave(ctx, k)
}

// any is a key of some kind; nil where there is none.
func (t *trouble) any(able func(*key) bool) *key {
	all := slices.DeleteFunc(slices.Clone(t.f.keys), func(k *key) bool { return !able(k) })
	if len(all) == 0 {
		return nil
	}
	return all[t.choice.IntN(len(all))]
}

// create makes the next object, if there is one left.
func (t *trouble) create(ctx context.Context) error {
	if t.next == len(t.f.keys) {
		return nil
	}
	t.next++
	return t.f.create(ctx, t.f.keys[t.next-1])
}

// createRest makes those that are left.
func (t *trouble) createRest(ctx context.Context) error {
	for t.next < len(t.f.keys) {
		if err := t.create(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fault is something that goes wrong with the next few requests of a kind.
func fault(choice *rand.Rand) localkms.Fault {
	faults := []localkms.Fault{
		{Operation: "ImportKeyMaterial", Drop: localkms.DropAfter},
		{Operation: "ImportKeyMaterial", Drop: localkms.DropAfter},
		{Operation: "ImportKeyMaterial", Drop: localkms.DropAfter},
		{Operation: "ImportKeyMaterial", Drop: localkms.DropBefore},
		{Operation: "ImportKeyMaterial", Code: "KMSInternalException"},
		{Operation: "ImportKeyMaterial", Code: "DependencyTimeoutException"},
		{Operation: "ImportKeyMaterial", Code: "ThrottlingException"},
		{Operation: "ImportKeyMaterial", Code: "ExpiredImportTokenException"},
		{Operation: "ImportKeyMaterial", Delay: localkms.Duration(200 * time.Millisecond)},
		{Operation: "GetParametersForImport", Drop: localkms.DropAfter},
		{Operation: "GetParametersForImport", Code: "ThrottlingException"},
		{Operation: "GetParametersForImport", Code: "KMSInternalException"},
		{Operation: "DescribeKey", Drop: localkms.DropBefore},
		{Operation: "DescribeKey", Code: "ThrottlingException"},
		{Operation: "DescribeKey", Code: "KMSInternalException"},
	}
	chosen := faults[choice.IntN(len(faults))]
	chosen.Count = 1 + choice.IntN(3)
	return chosen
}

// tell is one line about what happened.
func (t *trouble) tell() string {
	return fmt.Sprintf("%d objects, %v", t.next, t.happened)
}
