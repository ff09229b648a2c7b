package simulation_test

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// incident is something that happens to a key. What it breaks a person mends after a while, see person.
type incident struct {
	name   string
	weight int
	reason bool // for an import
	happen func(*life)
}

var incidents = []incident{
	{"material deleted", 6, true, (*life).deleteMaterial},
	{"disabled", 3, false, (*life).disable},
	{"disabled, then material deleted", 2, true, (*life).disableAndDelete},
	{"scheduled for deletion", 2, false, (*life).scheduleDeletion},
	{"scheduled for deletion, then material deleted", 1, true, func(l *life) {
		l.scheduleDeletion()
		l.soon((*life).deleteMaterial)
	}},
	{"Secret edited", 4, false, (*life).changeSecret},
	{"Secret deleted", 4, false, func(l *life) { l.s.api.remove(l.holder().at(kindSecret)) }},
	{"Secret rewritten", 6, false, func(l *life) {
		l.editSecret(func(secret *corev1.Secret) { secret.Labels["touched"] = fmt.Sprint(l.s.timeline.elapsed) })
	}},
	{"Secret replaced by its like", 3, false, func(l *life) {
		if l.sourceIntact() {
			l.s.api.remove(l.holder().at(kindSecret))
			l.holder().createSecret()
		}
	}},
	{"consent withdrawn", 3, false, func(l *life) {
		l.editSecret(func(secret *corev1.Secret) { delete(secret.Labels, v1alpha1.LabelKeyMaterial) })
	}},
	{"imported by hand with another expiry", 5, true, (*life).importByHand},
	{"expiration edited", 5, true, func(l *life) {
		l.edit(func(o *v1alpha1.KMSKeyImport) { o.Spec.Expiration = l.s.randomExpiration() })
	}},
	{"wrapping edited", 1, false, func(l *life) {
		l.edit(func(o *v1alpha1.KMSKeyImport) { o.Spec.Wrapping = l.s.randomWrapping() })
	}},
	{"onMaterialDeleted edited", 2, false, func(l *life) { l.respond(l.s.randomResponse()) }},
	{"suspended", 2, false, (*life).suspend},
	{"look requested", 2, false, func(l *life) { l.annotate(v1alpha1.AnnotationReconcileRequestedAt) }},
	{"reimport requested", 3, true, (*life).requestReimport},
	{"object deleted", 3, true, (*life).deleteObject},
	{"pruned", 2, true, (*life).prune},
	{"suspended and deleted", 1, true, (*life).suspendAndDelete},
	{"namespace deleted", 1, true, (*life).deleteNamespace},
	{"deletionPolicy edited", 1, false, func(l *life) { l.edit(func(o *v1alpha1.KMSKeyImport) { o.Spec.DeletionPolicy = l.s.randomDeletion() }) }},
	{"reimportPolicy edited", 1, true, func(l *life) { l.edit(func(o *v1alpha1.KMSKeyImport) { o.Spec.ReimportPolicy = l.s.randomReimport() }) }},
	{"imports denied", 1, true, func(l *life) { l.deny("ImportKeyMaterial") }},
	{"withdrawals denied", 2, true, func(l *life) { l.deny("DeleteImportedKeyMaterial") }},
	{"replaced by hand", 3, true, (*life).replaceByHand},
	{"record deleted", 1, true, (*life).deleteRecord},
	{"second object", 2, true, (*life).createSecond},
	{"renamed", 2, true, (*life).rename},
	{"other material deleted", 1, true, (*life).deleteOtherMaterial},
}

// happen lets something happen to a key.
func (s *simulation) happen(l *life) {
	total := 0
	for _, one := range incidents {
		total += one.weight
	}
	dice := s.random.IntN(total)
	for _, one := range incidents {
		if dice -= one.weight; dice < 0 {
			l.suffer(one.name, one.reason, one.happen)
			return
		}
	}
}

// suffer is for whatever happens to a key by anyone's hand but the operator's.
func (l *life) suffer(what string, reason bool, happen func(*life)) {
	l.account()
	l.note("%s", what)
	l.deletionDisturbed()
	if reason {
		l.cause(what)
	}
	l.s.counts.incidents[what]++
	if l.s.current == l {
		l.s.pass.disturbed, l.s.pass.unconfirmed, l.s.pass.unread = true, true, true
	}
	happen(l)
	l.account()
}

// soon is within the time of a few passes, or between two of them.
func (l *life) soon(happen func(*life)) {
	l.s.timeline.after(l.s.between(time.Second, 36*time.Hour), func() { l.suffer("and then", true, happen) })
}

// deleteMaterial is a revocation where the spec says so, and something is there to revoke.
func (l *life) deleteMaterial() {
	enabled, object, record := l.usable(), l.object(), l.record()
	if !l.inKMS(func(c *sdk.Client) error {
		_, err := c.DeleteImportedKeyMaterial(l.s.ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: &l.keyARN})
		return err
	}) {
		return
	}
	if enabled && object != nil && object.Spec.OnMaterialDeleted == v1alpha1.DeletionResponseHold && record != nil && record.Imported != nil {
		l.revoked = time.Unix(1<<40, 0)
		if record.Imported.ValidTo != nil {
			l.revoked = record.Imported.ValidTo.Time
		}
	}
}

func (l *life) disable() {
	l.inKMS(func(c *sdk.Client) error {
		_, err := c.DisableKey(l.s.ctx, &sdk.DisableKeyInput{KeyId: &l.keyARN})
		return err
	})
}

func (l *life) enable() {
	l.inKMS(func(c *sdk.Client) error {
		_, err := c.EnableKey(l.s.ctx, &sdk.EnableKeyInput{KeyId: &l.keyARN})
		return err
	})
}

func (l *life) disableAndDelete() {
	l.disable()
	l.soon((*life).deleteMaterial)
}

func (l *life) scheduleDeletion() {
	l.inKMS(func(c *sdk.Client) error {
		_, err := c.ScheduleKeyDeletion(l.s.ctx, &sdk.ScheduleKeyDeletionInput{KeyId: &l.keyARN})
		return err
	})
}

func (l *life) cancelDeletion() {
	l.inKMS(func(c *sdk.Client) error {
		_, err := c.CancelKeyDeletion(l.s.ctx, &sdk.CancelKeyDeletionInput{KeyId: &l.keyARN})
		return err
	})
}

// changeSecret puts other bytes into the Secret: good ones, too short ones, or none.
func (l *life) changeSecret() {
	if l.proof.made == nil || l.s.qkms() && (l.record() == nil || l.record().Imported == nil) {
		return // before the first import they would be the ones to keep
	}
	l.editSecret(func(secret *corev1.Secret) {
		switch l.s.random.IntN(3) {
		case 0:
			secret.Data["material"] = randomBytes(len(l.material))
		case 1:
			secret.Data["material"] = randomBytes(7)
		default:
			delete(secret.Data, "material")
		}
	})
}

// importByHand brings the same material again, with another expiry.
func (l *life) importByHand() {
	expiry := l.s.randomExpiry()
	if l.proof.made == nil || l.superseded {
		return
	}
	l.tokenReplaced = true
	if l.inKMS(func(*sdk.Client) error { return l.s.account.importByHand(l.s.ctx, l.keyARN, l.material, expiry, "") }) {
		l.revoked, l.expiryByHand = time.Time{}, true
	}
}

func (s *simulation) randomExpiry() kms.Expiry {
	if s.random.IntN(4) == 0 {
		return kms.Expiry{Model: kms.KeyMaterialDoesNotExpire}
	}
	ahead := []time.Duration{10 * time.Minute, 6 * time.Hour, 20 * day, 300 * day}[s.random.IntN(4)]
	return kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: s.kmsClock.Now().Add(ahead).Truncate(time.Second)}
}

// rotate makes another material the current one, by hand.
func (l *life) rotate() {
	forever := kms.Expiry{Model: kms.KeyMaterialDoesNotExpire}
	if l.superseded || l.proof.made == nil || l.spec != kms.KeySpecSymmetricDefault || !l.usable() {
		return
	}
	l.superseded = l.inKMS(func(c *sdk.Client) error {
		if err := l.s.account.importByHand(l.s.ctx, l.keyARN, randomBytes(32), forever, types.ImportTypeNewKeyMaterial); err != nil {
			return err
		}
		_, err := c.RotateKeyOnDemand(l.s.ctx, &sdk.RotateKeyOnDemandInput{KeyId: &l.keyARN})
		return err
	})
}

// importOther brings back the material that came first.
func (l *life) importOther() {
	expiry := kms.Expiry{Model: kms.KeyMaterialDoesNotExpire}
	until := time.Unix(1<<40, 0)
	if l.s.random.IntN(3) == 0 && !l.s.calm {
		until = l.s.kmsClock.Now().Add(40 * day).Truncate(time.Second)
		expiry = kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: until}
	}
	if l.inKMS(func(*sdk.Client) error {
		return l.s.account.importByHand(l.s.ctx, l.keyARN, l.other, expiry, types.ImportTypeExistingKeyMaterial)
	}) {
		l.otherUntil = until
	}
}

func (l *life) deleteOtherMaterial() {
	if l.other == nil {
		return
	}
	if l.inKMS(func(c *sdk.Client) error { return deleteOldest(l.s.ctx, c, l.keyARN) }) {
		l.otherUntil = time.Time{}
	}
}

func deleteOldest(ctx context.Context, c *sdk.Client, keyARN string) error {
	listed, err := c.ListKeyRotations(ctx, &sdk.ListKeyRotationsInput{KeyId: &keyARN, IncludeKeyMaterial: types.IncludeKeyMaterialAllKeyMaterial})
	if err != nil {
		return err
	}
	_, err = c.DeleteImportedKeyMaterial(ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: &keyARN, KeyMaterialId: listed.Rotations[0].KeyMaterialId})
	return err
}

func (a account) currentMaterial(ctx context.Context, keyARN string) string {
	answer, err := a.people.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: &keyARN})
	if err != nil {
		return ""
	}
	return aws.ToString(answer.KeyMetadata.CurrentKeyMaterialId)
}

func (l *life) otherMissing() bool {
	return l.other != nil && !l.otherUntil.After(l.s.kmsClock.Now())
}

func (l *life) respond(response v1alpha1.DeletionResponse) {
	l.edit(func(o *v1alpha1.KMSKeyImport) { o.Spec.OnMaterialDeleted = response })
	if response == v1alpha1.DeletionResponseReimport {
		l.revoked = time.Time{}
	}
}

func (l *life) requestReimport() {
	l.annotate(v1alpha1.AnnotationReimportRequestedAt)
	// A request from before the owner's key was seen empty is not about what emptied it.
	if record := l.record(); record == nil || record.Hold == nil || record.Hold.Request != nil || !l.holder().owns() {
		l.revoked, l.disabled = time.Time{}, false
	}
}

func (l *life) annotate(annotation string) {
	l.requests++
	l.edit(func(o *v1alpha1.KMSKeyImport) {
		metav1.SetMetaDataAnnotation(&o.ObjectMeta, annotation, fmt.Sprint(l.requests))
	})
}

func (s *simulation) randomResponse() v1alpha1.DeletionResponse {
	if s.random.IntN(4) == 0 {
		return v1alpha1.DeletionResponseHold
	}
	return v1alpha1.DeletionResponseReimport
}

// randomWrapping is mostly the smallest, which costs the least time.
func (s *simulation) randomWrapping() *v1alpha1.Wrapping {
	wrapping := &v1alpha1.Wrapping{KeySpec: "RSA_2048"}
	switch s.random.IntN(20) {
	case 0:
		wrapping = nil
	case 1:
		wrapping.Algorithm = "RSAES_OAEP_SHA_1"
	}
	return wrapping
}

func (s *simulation) randomExpiration() *v1alpha1.Expiration {
	switch dice := s.random.IntN(10); {
	case dice < 2:
		return nil
	case dice < 4:
		return s.randomDate()
	default:
		validFor := []time.Duration{30 * time.Hour, 7 * day, 7 * day, 30 * day, 30 * day, 30 * day, 90 * day, 90 * day, 90 * day, 180 * day, 180 * day, 364 * day}[s.random.IntN(12)]
		expiration := &v1alpha1.Expiration{ValidFor: &metav1.Duration{Duration: validFor}}
		if s.random.IntN(3) == 0 {
			before := []time.Duration{time.Hour, validFor / 2, validFor / 10}[s.random.IntN(3)].Truncate(time.Second)
			expiration.RenewBefore = &metav1.Duration{Duration: before}
		}
		return expiration
	}
}

// randomDate is a fixed expiry, which people write by their own clocks.
func (s *simulation) randomDate() *v1alpha1.Expiration {
	ahead := []time.Duration{6 * time.Hour, 20 * day, 100 * day, 360 * day}[s.random.IntN(4)]
	return &v1alpha1.Expiration{ValidTo: &metav1.Time{Time: s.kmsClock.Now().Add(ahead).Truncate(time.Second)}}
}
