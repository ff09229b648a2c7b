package plan

import (
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// expiryWarnings are the times before an expiry at which the Expiring warning appears and its message changes.
var expiryWarnings = []struct {
	before time.Duration
	within string
}{
	{24 * time.Hour, "1 day"},
	{2 * 24 * time.Hour, "2 days"},
	{firstWarning, "14 days"},
}

// firstWarning is when the first of them appears.
const firstWarning = 14 * 24 * time.Hour

// warnings are what a person should know whatever the outcome.
func warnings(d Desired, o Observed, step Step) []Warning {
	if !o.vouched() {
		return nil
	}
	var found []Warning
	if interrupted(o) && o.withdrawn() {
		found = append(found, Warning{v1alpha1.ConditionInterrupted, v1alpha1.ReasonKeyInterrupted, interruptedBy(step)})
	}
	found = append(found, sourceMissing(d, o)...)
	if otherMaterialExpires(o) {
		found = append(found, Warning{v1alpha1.ConditionOtherMaterialExpires, v1alpha1.ReasonEarlierExpiry, earlierExpiry(o)})
	}
	if needsInterruption(d, o) {
		found = append(found, Warning{v1alpha1.ConditionRenewalNeedsInterruption, v1alpha1.ReasonNoImportOverMaterial, interruption(d, o)})
	}
	if reason, message := expiring(d, o, step); reason != "" {
		found = append(found, Warning{v1alpha1.ConditionExpiring, reason, message})
	}
	return found
}

// sourceMissing stands, once it is known, until the Secret was looked for again.
func sourceMissing(d Desired, o Observed) []Warning {
	if o.Secret.Presence == SecretUnknown {
		if last := conditionOf(o.Status, v1alpha1.ConditionSourceMissing); last != nil {
			return []Warning{{last.Type, last.Reason, last.Message}}
		}
		return nil
	}
	reason, message := missingSource(d, o)
	if reason == "" {
		return nil
	}
	return []Warning{{v1alpha1.ConditionSourceMissing, reason, "without its Secret the key can be neither healed nor renewed: " + message}}
}

// interruptedBy says that the key is without material because of the operator itself, and what it waits for.
func interruptedBy(step Step) string {
	message := "the operator deleted the key's material in order to import it again, and the key is unusable until that is done: "
	switch step.Outcome {
	case OutcomeStalled:
		return message + "do what the condition Stalled says"
	case OutcomeSuspended:
		return message + "remove spec.suspend"
	case OutcomeWaiting, OutcomeRetry:
		return message + "do what the condition Reconciling says"
	case OutcomeProgressing, OutcomeSettled, OutcomeUntouched:
		return message + "the import is under way"
	default:
		return message + "the import is under way"
	}
}

// interruptionNear reports whether material that is renewed by an interruption only is within the time in which people are
// warned of its expiry, or of another expiry that is due.
func interruptionNear(d Desired, o Observed) bool {
	expiry := RecordedExpiry(o.imported().MaterialImport)
	return importOverdue(d, o) || d.ValidFor > 0 && expiry.ValidTo.Sub(o.Now) <= firstWarning
}

// needsInterruption stands, once it is known, until a look shows an empty key or the spec asks for what was imported.
func needsInterruption(d Desired, o Observed) bool {
	switch {
	case o.importsOverMaterial(), interrupted(o), !interruptionNear(d, o):
		return false
	case !o.seen():
		return stillSaid(o, v1alpha1.ConditionRenewalNeedsInterruption)
	case o.Look.Key.State == kms.KeyStatePendingImport:
		return false
	default:
		return !d.AllowInterruption || !evident(o)
	}
}

// interruption says what is not in force, and how the key comes to be empty.
func interruption(d Desired, o Observed) string {
	message := "the material is to be renewed, which this KMS does only by an import into an empty key: "
	if d.asksForAnother(o.imported().MaterialImport) {
		message = "spec.expiration asks for another expiry than the key has, which this KMS sets only when it imports into an empty key: "
	}
	message += "delete the key's material in KMS when an interruption does no harm"
	if RecordedExpiry(o.imported().MaterialImport).Model == kms.KeyMaterialExpires {
		message += ", or wait for its expiry"
	}
	if !d.AllowInterruption {
		message += "; with spec.reimportPolicy: AllowInterruption the operator does that by itself"
	}
	if d.HoldDeleted {
		message += "; after a deletion, ask for the import, which onMaterialDeleted: Hold waits for, by a new " + v1alpha1.AnnotationReimportRequestedAt
	}
	return message
}

func earlierExpiry(o Observed) string {
	if !o.hasOtherMaterials() {
		return "KMS reports another expiry than was imported: it writes it in its own way, or somebody has imported since; see status.validTo"
	}
	return "KMS reports another expiry than was imported: most likely another material of the same key expires first; import that one by hand with a later expiry"
}

// otherMaterialExpires stands, once it is known, until a look shows the expiry that was imported.
func otherMaterialExpires(o Observed) bool {
	if !o.seen() {
		return stillSaid(o, v1alpha1.ConditionOtherMaterialExpires)
	}
	return o.Look.Key.State != kms.KeyStatePendingImport && !Agrees(*o.imported(), o.Look.Key) && neverShown(o)
}

// stillSaid reports whether the last status has a warning that only a look at the key could take back. Of a key that is
// gone it says nothing any more.
func stillSaid(o Observed, conditionType string) bool {
	return !o.gone() && conditionOf(o.Status, conditionType) != nil
}

// expiring warns of an expiry that no renewal will prevent.
func expiring(d Desired, o Observed, step Step) (reason, message string) {
	_, expiry, _ := lastKnownKey(o)
	if expiry.Model != kms.KeyMaterialExpires || o.expired(expiry) { // expired is no longer a warning
		return "", ""
	}
	if expiryHeld(d, o) {
		return v1alpha1.ReasonExpiryShortened, "somebody shortened the material's expiry in KMS, which onMaterialDeleted: Hold respects: " +
			"annotate this object with a new " + v1alpha1.AnnotationReimportRequestedAt + ", or set spec.onMaterialDeleted to Reimport, to have it corrected"
	}
	remedy := renewalRemedy(d, o, step)
	if remedy == "" {
		return "", ""
	}
	for _, warning := range expiryWarnings {
		if expiry.ValidTo.Sub(o.Now) <= warning.before {
			return v1alpha1.ReasonExpiresSoon, "the material expires within " + warning.within + " and will not be renewed: " + remedy
		}
	}
	return "", ""
}

// importOverdue reports whether an import that would move the expiry should have been made by now.
func importOverdue(d Desired, o Observed) bool {
	return d.asksForAnother(o.imported().MaterialImport) || renewalOverdue(d, o)
}

// renewalRemedy is what has to happen before the material is renewed; empty when nothing has to.
func renewalRemedy(d Desired, o Observed, step Step) string {
	_, expiry, _ := lastKnownKey(o)
	switch {
	case step.Outcome == OutcomeSuspended:
		return "remove spec.suspend"
	case step.Outcome == OutcomeStalled:
		return "do first what the condition Stalled says"
	case hindered(d, o, step):
		return "do first what the condition Reconciling says"
	case d.Expiry.Equal(expiry): // a fixed date
		return "set a later spec.expiration.validTo, or remove expiration"
	case !o.importsOverMaterial() && !d.AllowInterruption:
		return "this KMS imports only into an empty key, so it is imported again when it has expired"
	case len(sourceMissing(d, o)) > 0:
		return "put its Secret back"
	case otherMaterialExpires(o):
		return "see the condition OtherMaterialExpires"
	default:
		return ""
	}
}

// hindered reports whether something that need not pass by itself keeps the material from being renewed. Between two tries
// of an overdue renewal, a pass that only waits for its turn does not take the warning back.
func hindered(d Desired, o Observed, step Step) bool {
	switch step.Outcome {
	case OutcomeWaiting:
		return true
	case OutcomeRetry:
		return step.Reason == v1alpha1.ReasonAccessDenied || importOverdue(d, o)
	case OutcomeProgressing:
		return importOverdue(d, o) && saidToExpire(o.Status, v1alpha1.ReasonExpiresSoon)
	case OutcomeSettled, OutcomeStalled, OutcomeSuspended, OutcomeUntouched:
		return false
	default:
		return false
	}
}
