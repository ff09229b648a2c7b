package controllers

import (
	"context"
	"errors"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
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

// pages is an API server that gives two of them for each namespace.
type pages struct {
	client.Reader
	namespace, page string // where the heir is
}

// List implements client.Reader.
func (p pages) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	asked := (&client.ListOptions{}).ApplyOptions(options)
	found := list.(*v1alpha1.KMSKeyImportList)
	if asked.Continue == "" {
		found.Continue = "second"
	}
	if asked.Namespace == p.namespace && asked.Continue == p.page {
		found.Items = []v1alpha1.KMSKeyImport{{Spec: v1alpha1.KMSKeyImportSpec{KeyID: heirsKey}}}
	}
	return nil
}

const heirsKey = "arn:aws:kms:eu-west-1:111122223333:key/1"

// TestHeirsAreSoughtEverywhere looks through every page and every namespace that the operator watches, and no other.
func TestHeirsAreSoughtEverywhere(t *testing.T) {
	cases := map[string]struct {
		reason  string
		watched []string
		at      pages
		found   bool
	}{
		"first page":       {"it is there", nil, pages{}, true},
		"second page":      {"many objects come in pages", nil, pages{page: "second"}, true},
		"second namespace": {"it is watched too", []string{"a", "b"}, pages{namespace: "b", page: "second"}, true},
		"elsewhere":        {"the operator may not look there", []string{"a", "b"}, pages{namespace: "c"}, false},
	}
	for name, tc := range cases {
		p := &pass{object: &v1alpha1.KMSKeyImport{}}
		p.object.UID = "1"
		p.observed.Record = &v1alpha1.KMSKeyRecord{KeyARN: heirsKey}
		err := (&Reconciler{live: tc.at, watched: tc.watched}).confirmNoHeir(t.Context(), p)
		if errors.Is(err, errStale) != tc.found || err != nil && !tc.found {
			t.Errorf("%s: %s: got %v", name, tc.reason, err)
		}
	}
}
