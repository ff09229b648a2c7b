package status_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// The table of section 6 of the design: what each outcome means for the conditions, for GitOps tools and for the
// generation.
func TestOutcomes(t *testing.T) {
	cases := map[string]struct {
		reason      string
		change      change
		ready       string
		reconciling string
		stalled     string
		generation  int64
		kstatus     string
	}{
		"settled": {
			"at rest", unchanged, "True Imported", "", "", 3, "Current",
		},
		"settled after an edit": {
			"the new generation is done", edited, "True Imported", "", "", 4, "Current",
		},
		"settled at first sight": {
			"a restored status is made anew", unseen, "True Imported", "", "", 1, "Current",
		},
		"settled with a warning": {
			"a warning leaves it ready", noSecret, "True Imported", "", "", 3, "Current",
		},

		"first import waits for its turn": {
			"nothing is known to be wrong", all(firstImport, hisTurnIn(time.Second)), "Unknown Progressing", "True Progressing", "", 0, "InProgress",
		},
		"first import propagates": {
			"KMS does not show it yet", all(empty, unseen, justImported), "Unknown Progressing", "True Progressing", "", 0, "InProgress",
		},
		"renewal in progress": {
			"the key is usable meanwhile", all(edited, wantsExpiry(30*day), hisTurnIn(time.Second)), "True Imported", "True Progressing", "", 3, "InProgress",
		},
		"renewal propagates": {
			"the key is usable meanwhile", all(expires(30*day), justImported, func(e *end) { e.observed.Look.Key.Expiry.ValidTo = now.Add(day) }),
			"True Imported", "True Progressing", "", 3, "InProgress",
		},
		"healing waits for its turn": {
			"the key cannot be used", all(empty, hisTurnIn(time.Second), func(e *end) { e.observed.Memory.ContradictedSince = importedAt }),
			"False Progressing", "True Progressing", "", 3, "InProgress",
		},
		"material is gone, first look after a restart": {
			"the first import is long past, and so Ready is about the key",
			all(empty, func(e *end) { e.observed.Memory = plan.Memory{FirstSeen: now, ContradictedSince: now} }),
			"False Progressing", "True Progressing", "", 3, "InProgress",
		},

		"waits for the Secret": {
			"the key is empty", all(firstImport, noSecret), "False SecretNotFound", "True SecretNotFound", "", 0, "InProgress",
		},
		"waits for the Secret, later": {
			"the expiry cannot be moved without it, the key is usable", all(edited, wantsExpiry(30*day), noSecret), "True Imported", "True SecretNotFound", "", 3, "InProgress",
		},
		"waits for the key": {
			"there is none", all(firstImport, lookError("NotFound")), "False KeyNotFound", "True KeyNotFound", "", 0, "InProgress",
		},
		"waits for a vanished key": {
			"there was one", lookError("NotFound"), "False KeyNotFound", "True KeyNotFound", "", 3, "InProgress",
		},
		"waits for a disabled key": {
			"nobody can use it", all(held, state("Disabled")), "False KeyDisabled", "True KeyDisabled", "", 3, "InProgress",
		},
		"waits for an updating key": {
			"KMS lets it be used", state("Updating"), "True Imported", "True KeyUpdating", "", 3, "InProgress",
		},
		"waits for an unavailable key": {
			"nobody can use it", state("Unavailable"), "False KeyUnavailable", "True KeyUnavailable", "", 3, "InProgress",
		},

		"retry, never observed": {
			"nothing is known", all(firstImport, lookError("Throttled")), "Unknown Throttled", "True Throttled", "", 0, "InProgress",
		},
		"retry, settled before": {
			"the last facts stand", lookError("Unreachable"), "True Imported", "True KMSUnreachable", "", 3, "InProgress",
		},
		"retry, empty key": {
			"the key was looked at and is empty", all(firstImport, throttledImport), "False Throttled", "True Throttled", "", 0, "InProgress",
		},
		"retry of a renewal": {
			"the key is usable meanwhile", all(edited, wantsExpiry(30*day), throttledImport), "True Imported", "True Throttled", "", 3, "InProgress",
		},
		"retry after a stall": {
			"a failed look makes no stalled object ready", all(otherBytes, then(time.Minute, lookError("Throttled"))), "False Throttled", "True Throttled", "", 3, "InProgress",
		},

		"stalled": {
			"a person must act, the key is usable", otherBytes, "False MaterialChanged", "", "True MaterialChanged", 3, "Failed",
		},
		"stalled over an emptied key": {
			"a person must act, the key is unusable", all(held, empty), "False HeldAfterDisable", "", "True HeldAfterDisable", 3, "Failed",
		},
		"stalled over another key": {
			"what is usable is not the key that was asked for", all(edited, otherKey), "False KeyTargetChanged", "", "True KeyTargetChanged", 4, "Failed",
		},
		"stalled at first sight": {
			"the first generation is done for", all(firstImport, wantsExpiry(-day)), "False InvalidExpiration", "", "True InvalidExpiration", 1, "Failed",
		},
		"stalled after an edit": {
			"the new generation is done for", all(edited, wantsExpiry(-day)), "False InvalidExpiration", "", "True InvalidExpiration", 4, "Failed",
		},
		"expired": {
			"the key is unusable", expires(-time.Second), "False MaterialExpired", "", "True MaterialExpired", 3, "Failed",
		},

		"suspended": {
			"the last facts stand", all(edited, suspended), "True Imported", "", "", 4, "Current",
		},
		"suspended from the start": {
			"never observed", all(firstImport, suspended), "Unknown Suspended", "", "", 1, "InProgress",
		},
		"suspended while disabled": {
			"the last facts stand", all(held, state("Disabled"), then(time.Minute, suspended)), "False Suspended", "", "", 3, "InProgress",
		},
		"suspended while stalled": {
			"the record does not vouch for the Secret's new bytes", all(otherBytes, then(time.Minute, suspended)), "False Suspended", "", "", 3, "InProgress",
		},
		"suspended, then expired": {
			"validTo passes without a call", all(suspended, expires(-time.Second)), "False Suspended", "", "", 3, "InProgress",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := changed(tc.change)
			got := e.apply()
			want := []string{tc.ready, tc.reconciling, tc.stalled}
			if diff := cmp.Diff(want, []string{condition(got, "Ready"), condition(got, "Reconciling"), condition(got, "Stalled")}); diff != "" {
				t.Errorf("%s: Ready, Reconciling, Stalled (-want +got):\n%s", tc.reason, diff)
			}
			if *got.ObservedGeneration != tc.generation {
				t.Errorf("%s: observedGeneration is %d, want %d", tc.reason, *got.ObservedGeneration, tc.generation)
			}
			if computed := kstatusOf(t, e); computed != tc.kstatus {
				t.Errorf("%s: kstatus is %s, want %s", tc.reason, computed, tc.kstatus)
			}
			assertInvariants(t, e)
		})
	}
}

// An object that was not looked at keeps its status to the letter.
func TestUntouched(t *testing.T) {
	for name, change := range map[string]change{
		"deleting": func(e *end) { e.desired.Deleting = true },
		"first sight": func(e *end) {
			e.observed.Look, e.observed.Memory = nil, plan.Memory{FirstSeen: now}
		},
		"deleting, never seen": all(firstImport, requested, func(e *end) { e.desired.Deleting = true }),
	} {
		t.Run(name, func(t *testing.T) {
			e := changed(change)
			if diff := cmp.Diff(e.observed.Status, e.apply()); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
		})
	}
}

func TestMessages(t *testing.T) {
	cases := map[string]struct {
		reason        string
		change        change
		conditionType string
		want          string
	}{
		"ready": {"what was imported from where", unchanged, "Ready", `the key is usable and holds the material that was imported from Secret "payments-material"`},
		"ready, other Secret in spec": {
			"what was imported, not what is asked for", all(func(e *end) { e.desired.Material.SecretRef.Name = "other" }, noSecret),
			"Ready", `the key is usable and holds the material that was imported from Secret "payments-material"`,
		},
		"not ready":  {"what the outcome says", all(firstImport, noSecret), "Ready", `Secret "payments-material" does not exist in this namespace: create it`},
		"reconciles": {"what the outcome says", all(firstImport, noSecret), "Reconciling", `Secret "payments-material" does not exist in this namespace: create it`},
		"suspended":  {"what to do", suspended, "Suspended", "spec.suspend is true: the key is left as it is; remove spec.suspend to resume"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			found := meta.FindStatusCondition(changed(tc.change).apply().Conditions, tc.conditionType)
			if found == nil || found.Message != tc.want {
				t.Errorf("%s: got %+v, want %q", tc.reason, found, tc.want)
			}
		})
	}
}

func TestGenerations(t *testing.T) {
	observed := func(generation int64) change {
		return func(e *end) { e.observed.Status.ObservedGeneration = &generation }
	}
	absent := func(e *end) { e.observed.Status.ObservedGeneration = nil }
	progressing := all(edited, wantsExpiry(30*day), hisTurnIn(time.Second))
	cases := map[string]struct {
		reason string
		change change
		want   int64
	}{
		"-1, progressing":     {"the object has been seen", all(firstImport, hisTurnIn(time.Second)), 0},
		"absent, progressing": {"absent is -1", all(firstImport, absent, hisTurnIn(time.Second)), 0},
		"0, progressing":      {"nothing was settled yet", all(progressing, observed(0)), 0},
		"0, settled":          {"the first", observed(0), 3},
		"3, progressing":      {"the last that was settled, so that nobody returns early", progressing, 3},
		"3, waiting":          {"the last that was settled", all(edited, wantsExpiry(30*day), noSecret), 3},
		"3, retry":            {"the last that was settled", all(edited, lookError("Throttled")), 3},
		"3, settled":          {"the new one", edited, 4},
		"3, stalled":          {"the new one", all(edited, otherBytes), 4},
		"3, suspended":        {"the new one", all(edited, suspended), 4},
		"-1, suspended":       {"the first", all(firstImport, suspended), 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := changed(tc.change)
			if got := *e.apply().ObservedGeneration; got != tc.want {
				t.Errorf("%s: got %d, want %d", tc.reason, got, tc.want)
			}
			assertInvariants(t, e)
		})
	}
}

func TestRequestsAreEchoed(t *testing.T) {
	requestedAgain := func(e *end) { e.desired.Requests.Reconcile = "2026-03-01T12:00:30Z" }
	imported := func(e *end) { e.observed.Attempt = &plan.ImportAttempt{Tries: 1} }
	cases := map[string]struct {
		reason string
		change change
		want   string
	}{
		"looked at":               {"acted on", requested, "2026-03-01T11:59:59Z"},
		"looked at, stalled":      {"acted on, whatever it came to", all(requested, otherBytes), "2026-03-01T11:59:59Z"},
		"never seen":              {"a restored manifest must not fire", all(requested, unseen), "2026-03-01T11:59:59Z"},
		"never seen, suspended":   {"likewise", all(requested, firstImport, suspended), "2026-03-01T11:59:59Z"},
		"suspended later":         {"not acted on, so it waits", all(requested, suspended), ""},
		"suspended, then resumed": {"then it is acted on", all(requested, suspended, then(time.Minute, look, func(e *end) { e.desired.Suspended = false })), "2026-03-01T11:59:59Z"},
		"throttled":               {"nobody has looked yet", all(requested, lookError("Throttled")), ""},
		"denied":                  {"nobody has looked yet", all(requested, lookError("AccessDenied")), ""},
		"key gone":                {"KMS has answered", all(requested, lookError("NotFound")), "2026-03-01T11:59:59Z"},
		"throttled, then looked":  {"acted on at last", all(requested, lookError("Throttled"), then(time.Minute, look)), "2026-03-01T11:59:59Z"},
		"never seen, throttled":   {"a restored manifest must not fire, later either", all(requested, unseen, lookError("Throttled")), "2026-03-01T11:59:59Z"},
		"import throttled":        {"the look was what was asked for", all(requested, empty, throttledImport), "2026-03-01T11:59:59Z"},
		"imported, then throttled": {
			"the look after it is still owed; that the request was served is remembered", all(requested, empty, justImported, imported, lookError("Throttled")), "",
		},
		"echoed, then throttled": {"a second request waits", all(requested, then(time.Minute, lookError("Throttled"), requestedAgain)), "2026-03-01T11:59:59Z"},
		"annotation removed":     {"nothing is asked for", all(requested, then(time.Minute, func(e *end) { e.desired.Requests.Reconcile = "" })), ""},
		"none":                   {"nothing is asked for", unchanged, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := changed(tc.change)
			if got := e.apply().LastHandledReconcileAt; got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
			assertInvariants(t, e)
		})
	}
}

// A request for an import stands while something is waited for.
func TestReimportsAreEchoed(t *testing.T) {
	const at = "2026-03-01T11:59:58Z"
	asked := func(e *end) { e.desired.Requests.Reimport = at }
	imported := func(e *end) { e.observed.Memory.Served.Reimport = at }
	withdrawn := func(e *end) { e.desired.Requests.Reimport = "" }
	cases := map[string]struct {
		reason string
		change change
		want   string
	}{
		"imported, propagating": {"an import was made", all(asked, empty, justImported, imported), at},
		"imported, throttled":   {"an import was made, whatever a look would show", all(asked, imported, lookError("Throttled")), at},
		"stalled":               {"what is wrong is said", all(asked, otherBytes), at},
		"on QKMS":               {"no import is made over material", all(asked, func(e *end) { e.observed.Dialect = "QKMS" }), at},
		"throttled":             {"none was made", all(asked, throttledImport), ""},
		"look throttled":        {"none was made", all(asked, lookError("Throttled")), ""},
		"disabled":              {"it is carried out when the key is enabled", all(asked, held, state("Disabled")), ""},
		"no Secret":             {"it is carried out when there is one", all(asked, noSecret), ""},
		"suspended":             {"it is carried out later", all(asked, suspended), ""},
		"never seen":            {"a restored manifest must not fire", all(asked, unseen), at},
		"never seen, disabled":  {"a restored manifest must not fire, later either", all(asked, unseen, held, state("Disabled")), at},
		"disabled, withdrawn":   {"nothing is asked for any more", all(asked, held, state("Disabled"), then(time.Minute, withdrawn)), ""},
		"echoed, withdrawn":     {"nothing is asked for", all(asked, otherBytes, then(time.Minute, withdrawn, otherBytes)), ""},
		"none":                  {"nothing is asked for", unchanged, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := changed(tc.change)
			if got := e.apply().LastHandledReimportAt; got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
			assertInvariants(t, e)
		})
	}
}

// The renewal that is planned is in the status, in the past too.
func TestRenewalTime(t *testing.T) {
	const jitter = 10*time.Minute + 55*time.Second // of uid-1
	rolls := func(ahead time.Duration) change {
		return all(expires(ahead), func(e *end) {
			e.desired.Expiry.ValidTo, e.desired.ValidFor, e.desired.RenewBefore = time.Time{}, 6*time.Hour, 2*time.Hour
			e.observed.Record.Imported.ValidFor = &metav1.Duration{Duration: 6 * time.Hour}
		})
	}
	at := now.Add(3*time.Hour - jitter)
	past := now.Add(-time.Hour - jitter)
	cases := map[string]struct {
		reason string
		change change
		want   *time.Time
	}{
		"rolling":          {"ahead of the expiry", rolls(5 * time.Hour), &at},
		"overdue":          {"it waits for the Secret", all(rolls(time.Hour), noSecret), &past},
		"throttled":        {"it stands", all(rolls(5*time.Hour), then(time.Minute, lookError("Throttled"))), &at},
		"suspended":        {"none is planned", all(rolls(5*time.Hour), then(time.Minute, suspended)), nil},
		"suspended before": {"planned again", all(rolls(5*time.Hour), then(time.Minute, suspended), then(time.Minute, look, rolls(5*time.Hour), func(e *end) { e.desired.Suspended = false })), &at},
		"now fixed":        {"none is planned", all(rolls(5*time.Hour), then(time.Minute, expires(30*day), func(e *end) { e.desired.ValidFor = 0 })), nil},
		"empty":            {"it is to be healed", all(rolls(5*time.Hour), then(time.Minute, empty)), nil},
		"key gone":         {"there is nothing to renew", all(rolls(5*time.Hour), then(time.Minute, lookError("NotFound"))), nil},
		"not rolling":      {"none is planned", expires(30 * day), nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := changed(tc.change)
			got := e.apply().RenewalTime
			if (got == nil) != (tc.want == nil) || got != nil && !got.Time.Equal(*tc.want) {
				t.Errorf("%s: got %v, want %v", tc.reason, got, tc.want)
			}
			assertInvariants(t, e)
		})
	}
}

// A settled object tolerates failed looks for three resyncs; a passed validTo needs no look at all.
func TestReadyInTime(t *testing.T) {
	throttled := lookError("Throttled")
	at := func(d time.Duration, changes ...change) change { return then(d, append(changes, throttled)...) }
	cases := map[string]struct {
		reason string
		change change
		want   string
	}{
		"failing for 3 resyncs":     {"the last facts stand", at(30*time.Minute - 2*time.Second), "True Imported"},
		"failing for longer":        {"nobody knows any more", at(30*time.Minute + time.Second), "Unknown Throttled"},
		"a look again":              {"known again", all(at(day), then(time.Minute, look)), "True Imported"},
		"restart in a long failure": {"unknown stays unknown without a look", all(at(day), then(time.Minute, func(e *end) { e.observed.Memory = plan.Memory{FirstSeen: e.observed.Now} })), "Unknown Throttled"},
		"a moment before validTo":   {"valid", all(expires(time.Minute), at(time.Minute-2*time.Second)), "True Imported"},
		"at validTo":                {"over, though KMS does not answer", all(expires(time.Minute), at(time.Minute)), "False Throttled"},
		"stalled, failing, looked":  {"a stall ends with a look", all(otherBytes, at(time.Minute), then(time.Minute, look, func(e *end) { e.observed.Secret.ResourceVersion = "100" })), "True Imported"},
		"stalled, suspended, look":  {"a stall ends with a look", all(otherBytes, then(time.Minute, suspended), then(time.Minute, look, func(e *end) { e.desired.Suspended = false; e.observed.Secret.ResourceVersion = "100" })), "True Imported"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := changed(tc.change)
			if got := condition(e.apply(), "Ready"); got != tc.want {
				t.Errorf("%s: Ready is %q, want %q", tc.reason, got, tc.want)
			}
			assertInvariants(t, e)
		})
	}
}

func TestTransitionTimes(t *testing.T) {
	cases := map[string]struct {
		reason        string
		change        change
		conditionType string
		want          time.Time
	}{
		"unchanged":         {"settled an hour ago", unchanged, "Ready", importedAt},
		"new reason":        {"still not ready, for another reason", all(held, state("Disabled"), then(time.Minute, state("PendingDeletion"))), "Ready", now},
		"new message":       {"a message is no transition", all(expires(2*day+time.Second), then(time.Minute)), "Expiring", now},
		"new status":        {"it is not ready any more", otherBytes, "Ready", now},
		"unknown":           {"False and Unknown differ", all(firstImport, hisTurnIn(time.Second), then(time.Minute, noSecret, hisTurnIn(0))), "Ready", now.Add(time.Minute)},
		"appears":           {"from now", otherBytes, "Stalled", now},
		"stays":             {"from the first", all(firstImport, noSecret, then(time.Hour)), "Reconciling", now},
		"gone and back":     {"from the second time", all(noSecret, then(time.Minute, func(e *end) { e.observed.Secret = settledEnd().observed.Secret }), then(time.Minute, noSecret)), "SourceMissing", now.Add(2 * time.Minute)},
		"reconciles anew":   {"one wait after another is one wait", all(firstImport, noSecret, then(time.Minute, lookError("NotFound"))), "Reconciling", now},
		"generation is new": {"a generation is no transition", edited, "Ready", importedAt},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			found := meta.FindStatusCondition(changed(tc.change).apply().Conditions, tc.conditionType)
			if found == nil || !found.LastTransitionTime.Time.Equal(tc.want) {
				t.Errorf("%s: got %+v, want %s", tc.reason, found, tc.want)
			}
		})
	}
}

func TestWarningsStayWhileTheyAreTrue(t *testing.T) {
	resumed := func(e *end) { e.desired.Suspended = false }
	secretBack := func(e *end) { e.observed.Secret = settledEnd().observed.Secret }
	earlier := func(e *end) {
		e.observed.Look.Key.Expiry = kms.Expiry{Model: "KEY_MATERIAL_EXPIRES", ValidTo: now.Add(60 * day)}
	}
	unconverged := func(e *end) {
		e.observed.Memory.Confirmed, e.observed.Memory.ImportedHere = time.Time{}, importedAt
		yes := true
		e.observed.Record.Imported.Unconfirmed = &yes
	}
	confirmed := func(e *end) { e.observed.Record.Imported.Unconfirmed = nil }
	cases := map[string]struct {
		reason string
		change change
		want   map[string]string
	}{
		"none":             {"nothing to warn of", unchanged, nil},
		"Expiring":         {"within 14 days", expires(13 * day), map[string]string{"Expiring": "True ExpiresSoon"}},
		"moved away":       {"a later expiry was imported", all(expires(13*day), then(time.Minute, expires(100*day))), nil},
		"SourceMissing":    {"the Secret is gone", noSecret, map[string]string{"SourceMissing": "True SecretNotFound"}},
		"Secret is back":   {"the warning goes", all(noSecret, then(time.Minute, secretBack)), nil},
		"Suspended":        {"as long as it is", suspended, map[string]string{"Suspended": "True Suspended"}},
		"resumed":          {"the warning goes", all(suspended, then(time.Minute, resumed, look)), nil},
		"another's expiry": {"of another material", all(earlier, unconverged), map[string]string{"OtherMaterialExpires": "True EarlierExpiry"}},
		"more than one":    {"each by itself", all(expires(day), noSecret), map[string]string{"Expiring": "True ExpiresSoon", "SourceMissing": "True SecretNotFound"}},
		"a strange warning": {"whatever was there before", func(e *end) {
			e.observed.Status.Conditions = append(e.observed.Status.Conditions, metav1.Condition{Type: "Forged", Status: "True"})
		}, nil},
		"waiting":            {"whatever the outcome", all(noSecret, state("Updating")), map[string]string{"Reconciling": "True KeyUpdating", "SourceMissing": "True SecretNotFound"}},
		"retrying":           {"as was last known", all(expires(day), noSecret, then(time.Minute, lookError("Throttled"))), map[string]string{"Reconciling": "True Throttled", "Expiring": "True ExpiresSoon", "SourceMissing": "True SecretNotFound"}},
		"stalled":            {"a stalled key expires as well", all(expires(day), otherBytes), map[string]string{"Stalled": "True MaterialChanged", "Expiring": "True ExpiresSoon"}},
		"suspended, warned":  {"as was last known", all(expires(day), noSecret, then(time.Minute, suspended)), map[string]string{"Suspended": "True Suspended", "Expiring": "True ExpiresSoon", "SourceMissing": "True SecretNotFound"}},
		"first import":       {"the Secret is what is waited for", all(firstImport, noSecret), map[string]string{"Reconciling": "True SecretNotFound"}},
		"another's, failing": {"until a look says otherwise", all(earlier, unconverged, then(time.Minute, lookError("Throttled"))), map[string]string{"Reconciling": "True Throttled", "OtherMaterialExpires": "True EarlierExpiry"}},
		"another's, later":   {"a look says otherwise", all(earlier, unconverged, then(time.Minute, look, confirmed)), nil},
		"another's, restart": {"as before", all(earlier, unconverged, then(time.Minute, lookError("Throttled")), then(time.Minute, look, earlier, func(e *end) {
			e.observed.Memory = plan.Memory{FirstSeen: e.observed.Now, LastLook: e.observed.Now, ContradictedSince: importedAt}
		})), map[string]string{"OtherMaterialExpires": "True EarlierExpiry"}},
		"stalled and warned": {"a stall says what is to be done", all(noSecret, then(time.Minute, secretBack, otherBytes)), map[string]string{"Stalled": "True MaterialChanged"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := changed(tc.change)
			got := map[string]string{}
			status := e.apply()
			for _, c := range status.Conditions {
				if c.Type != "Ready" {
					got[c.Type] = condition(status, c.Type)
				}
			}
			if tc.want == nil {
				tc.want = map[string]string{}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			assertInvariants(t, e)
		})
	}
}

func TestKeyAndMaterial(t *testing.T) {
	yes := true
	validTo := metav1.NewTime(now.Add(30 * day))
	at := metav1.NewTime(importedAt)
	key := &v1alpha1.KeyStatus{ARN: keyARN, State: "Enabled", Spec: "SYMMETRIC_DEFAULT", Usage: "ENCRYPT_DECRYPT", MultiRegion: &yes}
	pending := *key
	pending.State = "PendingImport"
	other := pending
	other.ARN, other.Spec = otherARN, "HMAC_256"
	material := &v1alpha1.MaterialStatus{
		Fingerprint: "fingerprint-1", KeyMaterialID: "material-1", ImportedAt: &at, WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_4096",
	}
	type view struct {
		Key      *v1alpha1.KeyStatus
		Model    string
		ValidTo  *metav1.Time
		Material *v1alpha1.MaterialStatus
	}
	settled := view{Key: key, Model: "KEY_MATERIAL_DOES_NOT_EXPIRE", Material: material}
	expiring := view{Key: key, Model: "KEY_MATERIAL_EXPIRES", ValidTo: &validTo, Material: material}
	cases := map[string]struct {
		reason string
		change change
		want   view
	}{
		"settled":  {"as KMS and the record say", unchanged, settled},
		"expiring": {"as KMS reports it", expires(30 * day), expiring},
		"expires no more": {"the old date goes", all(expires(30*day), then(time.Minute, func(e *end) {
			e.desired.Expiry, e.observed.Record = settledEnd().desired.Expiry, settledEnd().observed.Record
		}, look)), settled},
		"failed look":           {"the last facts stand", all(expires(30*day), then(time.Minute, lookError("Throttled"))), expiring},
		"no look":               {"the last facts stand", all(expires(30*day), then(time.Minute, suspended)), expiring},
		"key gone":              {"it has no state any more", lookError("NotFound"), view{Material: material}},
		"material gone":         {"KMS shows none; the record stands", empty, view{Key: &pending, Material: material}},
		"other key":             {"it is not this object's", all(expires(30*day), then(time.Minute, otherKey)), expiring},
		"other key, unclaimed":  {"no record says which key is this object's", all(firstImport, otherKey), view{Key: &other}},
		"other key, never seen": {"it is not this object's", all(unseen, otherKey), view{Material: material}},
		"never imported":        {"nothing to show", firstImport, view{Key: &pending}},
		"another's key":         {"another object's record is not copied", func(e *end) { e.observed.Ownership = "Foreign" }, view{Key: key, Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}},
		"not taken over":        {"an earlier object's record is not copied", all(otherBytes, func(e *end) { e.observed.Ownership = "Ownerless" }), view{Key: key, Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}},
		"claim and no import":   {"nothing to show", func(e *end) { e.observed.Record.Imported = nil }, view{Key: key, Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := changed(tc.change)
			if e.observed.Record == nil {
				e.step = &plan.Step{Action: plan.Finish{}, Outcome: "Waiting", Reason: "SecretNotFound", Message: "create it"}
			}
			got := e.apply()
			if diff := cmp.Diff(tc.want, view{got.Key, got.ExpirationModel, got.ValidTo, got.Material}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// Every outcome over every kind of facts, whether or not the plan would come to it.
func TestInvariants(t *testing.T) {
	facts := map[string]change{
		"settled": unchanged, "first": firstImport, "unseen": unseen, "edited": edited, "empty": empty, "no Secret": noSecret, "disabled": state("Disabled"), "held": all(held, empty), "other key": otherKey,
		"throttled": lookError("Throttled"), "gone": lookError("NotFound"), "no look": func(e *end) { e.observed.Look = nil },
		"foreign": func(e *end) { e.observed.Ownership = "Foreign" }, "expired": expires(-day), "requested": requested,
		"was stalled":   all(otherBytes, then(time.Minute)),
		"was waiting":   all(firstImport, noSecret, then(time.Minute)),
		"was suspended": all(suspended, then(time.Minute)),
		"was warned":    all(expires(day), noSecret, then(time.Minute)),
		"was forged": func(e *end) {
			e.observed.Status.Conditions = []metav1.Condition{{Type: "Stalled", Status: "False", LastTransitionTime: metav1.NewTime(now)}, {Type: "Reconciling", Status: "True", LastTransitionTime: metav1.NewTime(now)}}
		},
	}
	for _, outcome := range []plan.Outcome{"Settled", "Progressing", "Waiting", "Retry", "Stalled", "Suspended"} {
		for name, change := range facts {
			t.Run(string(outcome)+", "+name, func(t *testing.T) {
				e := changed(change)
				e.step = &plan.Step{Action: plan.Finish{}, Outcome: outcome, Reason: "SomeReason", Message: "something happened"}
				assertInvariants(t, e)
			})
		}
	}
}
