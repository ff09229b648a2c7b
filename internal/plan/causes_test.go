package plan_test

import (
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// The record says of each import why it was made. Nothing is decided by it, but that adopted material is never withdrawn.
func TestCauses(t *testing.T) {
	full := func(f *facts) { f.observed.Look = settledFacts().observed.Look }
	lost := all(empty, contradictedFor(day))
	cases := map[string]struct {
		reason string
		change change
		want   v1alpha1.ImportCause
	}{
		"first import":            {"the key was empty, and nobody had filled it", firstImport, "FirstImport"},
		"claimed before":          {"a claim is no import", all(empty, nothingImported), "FirstImport"},
		"full from elsewhere":     {"the key held it before", all(firstImport, full), "Adoption"},
		"adoption asked for":      {"whoever asks for it, the key held it before", all(nothingImported, reimportRequested), "Adoption"},
		"adoption, answer lost":   {"doing it again makes it no other", all(firstIntent, stateBefore("Enabled")), "Adoption"},
		"fingerprint key lost":    {"proven as if it were unknown", all(rewritten, incomparableMaterial), "Adoption"},
		"lost, with an empty key": {"there is nothing to prove", all(rewritten, incomparableMaterial, lost), "MaterialMissing"},
		"deleted or expired":      {"it is gone", lost, "MaterialMissing"},
		"expired":                 {"it is gone", all(expires(-day), empty, wantsExpiry(day)), "MaterialMissing"},
		"missing, asked for":      {"it is gone, whoever asks", all(lost, reimportRequested), "MaterialMissing"},
		"hold lifted":             {"it was gone", all(heldEmpty, wasLifted), "MaterialMissing"},
		"withdrawn":               {"by this operator itself", all(empty, withdrawn(0)), "MaterialWithdrawn"},
		"withdrawn with object":   {"whatever it was withdrawn for", all(empty, withdrawnWithObject(day)), "MaterialWithdrawn"},
		"other date":              {"the spec asks for it", wantsExpiry(30 * day), "ExpiryChanged"},
		"date, asked for":         {"a request is served by the import that is due anyway", all(wantsExpiry(30*day), reimportRequested), "Requested"},
		"moved by somebody":       {"corrected", all(expires(30*day), reportedExpiry(20*day), contradictedFor(day)), "ExpiryChanged"},
		"renewal":                 {"ahead of its expiry", rollsOver(2 * time.Hour), "Renewal"},
		"asked for":               {"nothing else needs it", reimportRequested, "Requested"},
		"answer lost":             {"it may have been made", intent, "OutcomeUnknown"},
		"first answer lost":       {"it may have been made", all(firstIntent, empty), "OutcomeUnknown"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			action, imports := changed(tc.change).next().Action.(plan.ImportMaterial)
			if !imports || action.Cause != tc.want {
				t.Errorf("%s: got %T because of %q, want %q", tc.reason, changed(tc.change).next().Action, action.Cause, tc.want)
			}
		})
	}
}
