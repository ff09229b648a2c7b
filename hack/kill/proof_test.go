//go:build kill && unix

package kill_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// prove has every key used: it holds the material of its Secret, and has had no other. Managers are gone by now.
func (f *fleet) prove(t *testing.T) {
	t.Helper()
	for _, k := range f.keys {
		if err := f.proveOne(t.Context(), k); err != nil {
			t.Errorf("%s: %v", k.name, err)
		}
	}
	if f.w.dialect == localkms.QKMS {
		return // which compares nothing
	}
	other := make([]byte, 32)
	_, _ = rand.Read(other) // never fails
	for _, k := range f.keys {
		if k.spec == types.KeySpecEccNistP256 {
			continue
		}
		if err := k.reimport(t.Context(), f.w.users, other); code(err) != "IncorrectKeyMaterialException" {
			t.Errorf("%s: a re-import proves nothing, for one of other material comes to: %v", k.name, err)
		}
	}
}

func (f *fleet) proveOne(ctx context.Context, k *key) error {
	if k.left {
		if _, err := k.make(ctx, f.w.users); code(err) != "KMSInvalidStateException" {
			return fmt.Errorf("the key is held, and using it comes to %q", code(err))
		}
	} else if err := k.take(ctx, f.w.users, k.kept); err != nil {
		return fmt.Errorf("what the key made at first: %w", err)
	}
	if f.w.dialect == localkms.QKMS { // which takes no import over material, and compares nothing
		return nil
	}
	if err := k.reimport(ctx, f.w.users, k.bytes); err != nil {
		return fmt.Errorf("KMS does not take the Secret's material for the key's: %w", err)
	}
	made, err := k.make(ctx, f.w.users)
	if err != nil {
		return err
	}
	return errors.Join(k.take(ctx, f.w.users, made), k.take(ctx, f.w.users, k.kept))
}

// checkTraces searches what managers have written for material: their logs, and what they wrote to the API server.
func (f *fleet) checkTraces(t *testing.T) {
	t.Helper()
	texts := map[string][]byte{}
	logs, err := filepath.Glob(filepath.Join(f.w.folder, "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("there are no logs: %v", err)
	}
	for _, log := range logs {
		if texts[log], err = os.ReadFile(log); err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"DATA RACE", "panic", "fatal error:"} {
			if bytes.Contains(texts[log], []byte(word)) {
				t.Errorf("%s holds %q", log, word)
			}
		}
	}
	for name, list := range map[string]client.ObjectList{
		"KMSKeyImports": &v1alpha1.KMSKeyImportList{}, "KMSKeyRecords": &v1alpha1.KMSKeyRecordList{}, "Events": &eventsv1.EventList{},
	} {
		if err := f.w.k8s.List(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		if texts[name], err = json.Marshal(list); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range texts {
		for _, k := range f.keys {
			if slices.ContainsFunc(k.traces(), func(trace []byte) bool { return bytes.Contains(text, trace) }) {
				t.Errorf("%s holds the material of %s", name, k.name)
			}
		}
	}
}
