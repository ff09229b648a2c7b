package controllers

import (
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// TestUnseenHeir renames an object whose material is to be deleted with it, and the cache shows the new name only later.
func TestUnseenHeir(t *testing.T) {
	w := newWorld(t, newOrigin(t), kms.DialectAWS, &script{at: -1})
	create(deletionOfMaterial)(w)
	w.rest()

	renamed := w.object()
	renamed.Name, renamed.UID, renamed.ResourceVersion, renamed.Finalizers = "card-key-renamed", "renamed", "", nil
	w.unseen = renamed.Name
	w.must(w.objects.Create(w.ctx, renamed))
	remove(w)
	w.wait(w.pass().RequeueAfter) // until what is pruned with it may be seen
	if end := w.pass(); end.err != nil || end.RequeueAfter != conflictDelay {
		t.Fatalf("a pass that cannot see the other object ended with %+v; object: %s", end, w.summary())
	}
	w.unseen = ""
	if end := w.pass(); end.err != nil || w.object() != nil {
		t.Fatalf("a pass that sees the other object ended with %v; object: %s", end.err, w.summary())
	}
	history := w.record().History
	const want = "the owner was deleted; the key's material was not deleted: another KMSKeyImport names the key"
	if got := history[len(history)-1].Message; w.withdrawn != 0 || got != want {
		t.Errorf("%d withdrawals, and the record ends with %q, not with %q", w.withdrawn, got, want)
	}
}
