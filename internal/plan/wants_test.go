package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// want is the part of a Step that a test is about. Empty fields of a Finish are not compared, except Outcome and Reason.
type want struct {
	action   plan.Action // nil stands for Finish
	outcome  plan.Outcome
	reason   string
	after    time.Duration
	message  string   // a part of it
	warnings []string // as type and reason
	warned   string   // a part of the first warning's message
}

func does(action plan.Action) want { return want{action: action} }
func stalls(reason string) want    { return want{outcome: "Stalled", reason: reason} }
func waits(reason string) want     { return want{outcome: "Waiting", reason: reason} }
func retries(reason string) want   { return want{outcome: "Retry", reason: reason} }
func progresses(after time.Duration) want {
	return want{outcome: "Progressing", reason: "Progressing", after: after}
}
func settles(warnings ...string) want {
	return want{outcome: "Settled"}.with(warnings...)
}
func isSuspended() want     { return want{outcome: "Suspended", reason: "Suspended"} }
func isLeftUntouched() want { return want{outcome: "Untouched"}.with() }

func (w want) saying(part string) want {
	w.message = part
	return w
}

func (w want) within(after time.Duration) want {
	w.after = after
	return w
}

// with are all the warnings.
func (w want) with(warnings ...string) want {
	w.warnings = append([]string{}, warnings...)
	return w
}

func (w want) warning(part string) want {
	w.warned = part
	return w
}

// withoutCause leaves out why an import is made, which is the matter of TestCauses.
var withoutCause = cmpopts.IgnoreFields(plan.ImportMaterial{}, "Cause")

func assertStep(t *testing.T, reason string, got plan.Step, w want) {
	t.Helper()
	if w.action == nil {
		w.action = plan.Finish{}
	}
	if diff := cmp.Diff(w.action, got.Action, withoutCause); diff != "" {
		t.Fatalf("%s: action (-want +got):\n%s\nstep: %+v", reason, diff, got)
	}
	if got.Outcome != w.outcome || got.Reason != w.reason {
		t.Errorf("%s: got %s %q (%s), want %s %q", reason, got.Outcome, got.Reason, got.Message, w.outcome, w.reason)
	}
	if w.after != 0 && got.After != w.after {
		t.Errorf("%s: looks again after %s, want %s", reason, got.After, w.after)
	}
	if !strings.Contains(got.Message, w.message) {
		t.Errorf("%s: message %q does not say %q", reason, got.Message, w.message)
	}
	if w.warned != "" && (len(got.Warnings) == 0 || !strings.Contains(got.Warnings[0].Message, w.warned)) {
		t.Errorf("%s: warnings %v do not say %q", reason, got.Warnings, w.warned)
	}
	if w.warnings != nil {
		warnings := []string{}
		for _, warning := range got.Warnings {
			warnings = append(warnings, warning.Type+" "+warning.Reason)
		}
		if diff := cmp.Diff(w.warnings, warnings); diff != "" {
			t.Errorf("%s: warnings (-want +got):\n%s", reason, diff)
		}
	}
}

// cases are what a table of this package holds.
type cases map[string]struct {
	reason string
	change change
	want   want
}

func (table cases) run(t *testing.T) {
	t.Helper()
	for name, tc := range table {
		t.Run(name, func(t *testing.T) {
			assertStep(t, tc.reason, changed(tc.change).next(), tc.want)
		})
	}
}

func firstImportAction() plan.ImportMaterial {
	return plan.ImportMaterial{
		Operation:  "Import",
		Expiry:     kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"},
		Wrapping:   kms.Wrapping{Algorithm: "RSAES_OAEP_SHA_256", KeySpec: "RSA_4096"},
		RejectWeak: true,
	}
}

func reimportAction() plan.ImportMaterial {
	return plan.ImportMaterial{
		Operation:  "Reimport",
		Expiry:     kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"},
		Wrapping:   kms.Wrapping{Algorithm: "RSAES_OAEP_SHA_256", KeySpec: "RSA_4096"},
		Expect:     "fingerprint-1",
		ReimportOf: "material-1",
	}
}

// hmacReimport says nothing of the material's ID, which other keys than symmetric ones do not have.
func hmacReimport() plan.ImportMaterial {
	action := reimportAction()
	action.ReimportOf = ""
	return action
}

// reimportUntil is a re-import with a fixed expiry.
func reimportUntil(ahead time.Duration) plan.ImportMaterial {
	action := reimportAction()
	action.Expiry = until(now.Add(ahead))
	return action
}

// importUntil is a first import with a fixed expiry.
func importUntil(ahead time.Duration) plan.ImportMaterial {
	action := firstImportAction()
	action.Expiry = until(now.Add(ahead))
	return action
}
