package simulation_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	corev1 "k8s.io/api/core/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// The kinds of keys, beside the symmetric ones.
const (
	hmac = "HMAC_256"
	ecc  = "ECC_NIST_P256"
)

// life is that of one key, with its Secret and its KMSKeyImport.
type life struct {
	s        *simulation
	name     string
	seats    [2]*seat
	spec     kms.KeySpec
	keyARN   string
	recordAt ref
	material []byte // the only bytes that may ever be imported
	proof    proof

	// other is a material of the same key that the operator does not know of; it came first.
	other      []byte
	otherUntil time.Time // zero: it is not there
	superseded bool      // rotated by hand: the operator's material is no longer the current one

	truth    kms.Key // as KMS has it, but for an expiry that has passed since
	before   kms.Key // as it was before the last change, which some looks still show
	lagUntil time.Duration
	expiry   *appointment // when the material expires by itself

	denied        map[string]bool // operations that the key policy denies the operator
	holdsOther    bool            // other bytes than the Secret's
	tokenReplaced bool            // a person has asked for import parameters after the operator

	requests int
	revoked  time.Time // until when a deletion stands that the spec respects: the recorded validTo

	oracle
}

func (l *life) record() *v1alpha1.KMSKeyRecord {
	found, _ := l.s.api.live(l.recordAt).(*v1alpha1.KMSKeyRecord)
	return found
}

// caughtUp reports whether the caches, and those who look at the key, see everything as it is.
func (l *life) caughtUp() bool {
	if slices.ContainsFunc(l.refs(), l.s.api.lags) {
		return false
	}
	return l.s.timeline.elapsed >= l.lagUntil
}

// refs are of everything in Kubernetes that is about this key.
func (l *life) refs() []ref {
	refs := []ref{l.recordAt}
	for _, t := range l.seats {
		refs = append(refs, t.at(kindImport), t.at(kindSecret))
	}
	return refs
}

// bear creates the key, the Secret and the object.
func (s *simulation) bear(number int) *life {
	l := &life{s: s, name: fmt.Sprintf("key-%03d", number), denied: map[string]bool{}}
	l.since, l.well, l.interrupted = never, never, never
	l.takeSeats()
	s.lives = append(s.lives, l)
	dice := s.random.Float64()
	switch {
	case dice < 0.7, s.qkms():
		l.spec, l.material = kms.KeySpecSymmetricDefault, randomBytes(32)
	case dice < 0.9:
		l.spec, l.material = hmac, randomBytes(32)
	default:
		l.spec, l.material = ecc, s.privateKey()
	}
	usage := map[kms.KeySpec]types.KeyUsageType{
		kms.KeySpecSymmetricDefault: types.KeyUsageTypeEncryptDecrypt, hmac: types.KeyUsageTypeGenerateVerifyMac,
		ecc: types.KeyUsageTypeSignVerify,
	}[l.spec]
	created, err := s.account.people.CreateKey(s.ctx, &sdk.CreateKeyInput{
		Origin: types.OriginTypeExternal, KeySpec: types.KeySpec(l.spec), KeyUsage: usage,
	})
	s.must(err)
	l.keyARN = *created.KeyMetadata.Arn
	if l.spec == kms.KeySpecSymmetricDefault && !s.qkms() && s.random.Float64() < 0.06 {
		l.makeSecondHand()
	}
	l.recordAt = ref{kind: kindRecord, namespace: operatorNamespace, name: recordName(l.keyARN)}
	for _, at := range l.refs() {
		s.byRef[at] = l
	}
	wrong := false
	if s.random.IntN(8) == 0 {
		wrong = l.bringMaterial()
	}
	l.refresh()
	l.cause("its birth")
	for i, t := range l.seats {
		if i == 0 || s.random.IntN(10) == 0 { // two objects from the beginning
			t.createSecret()
			if wrong {
				t.editSecret(func(secret *corev1.Secret) { secret.Data["material"] = randomBytes(len(l.material)) })
			}
			t.createObject()
		}
	}
	return l
}

// bringMaterial has a person import before the operator comes; whether other bytes than the Secret holds.
func (l *life) bringMaterial() (wrong bool) {
	if l.other != nil {
		return false
	}
	l.s.must(l.s.account.importByHand(l.s.ctx, l.keyARN, l.material, l.s.randomExpiry(), ""))
	l.refresh()
	l.prove()
	l.keyMaterialID, l.expiryByHand = l.truth.CurrentKeyMaterialID, true
	return !l.s.qkms() && l.s.random.IntN(3) == 0 // QKMS would take them, after the expiry of the others
}

// takeSeats gives the key two objects' places: mostly with one Secret, as a rename has it.
func (l *life) takeSeats() {
	l.seats[0] = &seat{l: l, namespace: l.name, name: l.name, secretName: l.name}
	other := *l.seats[0]
	other.name += "-other"
	if l.s.random.IntN(3) == 0 {
		other.namespace += "-other"
	}
	l.seats[1] = &other
}

// makeSecondHand gives the key a first life: another material, rotated to the one in the Secret, and both deleted.
func (l *life) makeSecondHand() {
	s := l.s
	l.other = randomBytes(32)
	forever := kms.Expiry{Model: kms.KeyMaterialDoesNotExpire}
	s.must(s.account.importByHand(s.ctx, l.keyARN, l.other, forever, ""))
	first := s.account.currentMaterial(s.ctx, l.keyARN)
	s.must(s.account.importByHand(s.ctx, l.keyARN, l.material, forever, types.ImportTypeNewKeyMaterial))
	_, err := s.account.people.RotateKeyOnDemand(s.ctx, &sdk.RotateKeyOnDemandInput{KeyId: &l.keyARN})
	s.must(err)
	_, err = s.account.people.DeleteImportedKeyMaterial(s.ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: &l.keyARN, KeyMaterialId: &first})
	s.must(err)
	_, err = s.account.people.DeleteImportedKeyMaterial(s.ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: &l.keyARN})
	s.must(err)
}

// inKMS is a change that a person makes to the key; one that KMS refuses in this state is none.
func (l *life) inKMS(do func(*sdk.Client) error) (done bool) {
	earlier := l.present()
	done = do(l.s.account.people) == nil
	l.changed(earlier)
	return done
}

// changed takes note of the key after a change. Those who look at it may see it as it was for a while.
func (l *life) changed(earlier kms.Key) {
	l.refresh()
	if l.s.calm {
		return
	}
	switch dice := l.s.random.Float64(); {
	case dice < 0.01:
		l.before, l.lagUntil = earlier, l.s.timeline.elapsed+l.s.between(time.Minute, 4*time.Minute)
	case dice < 0.15:
		l.before, l.lagUntil = earlier, l.s.timeline.elapsed+l.s.between(time.Second, 30*time.Second)
	}
}

func (l *life) refresh() {
	key, err := l.s.account.adapter.DescribeKey(l.s.ctx, l.keyARN)
	l.s.must(err)
	l.learn(key)
}

// learn keeps the truth, and sees to it that the oracle is there when the material expires.
func (l *life) learn(key kms.Key) {
	if l.expiry != nil && l.expiry.at <= l.s.timeline.elapsed {
		l.lapse()
	}
	l.truth = key
	l.holdsOther = l.holdsOther && key.State != kms.KeyStatePendingImport
	if l.expiry != nil {
		l.expiry.cancelled, l.expiry = true, nil
	}
	if key.Expiry.Model != kms.KeyMaterialExpires {
		return
	}
	if left := l.s.kmsClock.until(key.Expiry.ValidTo); left > 0 {
		l.expiry = l.s.timeline.after(left, l.lapse)
	}
}

// lapse is when the material expires.
func (l *life) lapse() {
	l.expiry.cancelled, l.expiry = true, nil
	l.cause("its expiry")
	l.account()
	l.expired()
}

// present is the key as KMS has it now.
func (l *life) present() kms.Key {
	key := l.truth
	if key.Expiry.Model == kms.KeyMaterialExpires && !key.Expiry.ValidTo.After(l.s.kmsClock.Now()) {
		key.Expiry = kms.Expiry{}
		if key.State != kms.KeyStatePendingDeletion {
			key.State = kms.KeyStatePendingImport
		}
	}
	return key
}

func (l *life) state() kms.KeyState { return l.present().State }

func (l *life) usable() bool { return l.state() == kms.KeyStateEnabled }

// shown is the key as a look shows it, and whether that is the truth.
func (l *life) shown(key kms.Key) (kms.Key, bool) {
	if l.s.calm || l.s.timeline.elapsed >= l.lagUntil || l.s.random.Float64() < 0.4 {
		return key, true
	}
	if l.before != key {
		l.s.counts.staleLooks++
		l.cause("a look at the past")
	}
	return l.before, l.before == key
}

func randomBytes(length int) []byte {
	random := make([]byte, length)
	_, _ = rand.Read(random) // documented never to fail
	return random
}

func (s *simulation) privateKey() []byte {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(err)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	s.must(err)
	return encoded
}

// proof is something made with the key at its first import. It goes on being good exactly as long as the key has the
// same material.
type proof struct{ made []byte }

var message = []byte("proof")

func (l *life) prove() {
	people, key := l.s.account.people, &l.keyARN
	switch string(l.spec) {
	case hmac:
		answer, err := people.GenerateMac(l.s.ctx, &sdk.GenerateMacInput{KeyId: key, Message: message, MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
		l.s.must(err)
		l.proof.made = answer.Mac
	case ecc:
		answer, err := people.Sign(l.s.ctx, &sdk.SignInput{KeyId: key, Message: message, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
		l.s.must(err)
		l.proof.made = answer.Signature
	default:
		answer, err := people.Encrypt(l.s.ctx, &sdk.EncryptInput{KeyId: key, Plaintext: message})
		l.s.must(err)
		l.proof.made = answer.CiphertextBlob
	}
}

// holds tells whether the key, which is usable, still has the material of the proof.
func (l *life) holds() bool {
	people, key := l.s.account.people, &l.keyARN
	switch string(l.spec) {
	case hmac:
		_, err := people.VerifyMac(l.s.ctx, &sdk.VerifyMacInput{
			KeyId: key, Message: message, Mac: l.proof.made, MacAlgorithm: types.MacAlgorithmSpecHmacSha256,
		})
		return err == nil
	case ecc:
		_, err := people.Verify(l.s.ctx, &sdk.VerifyInput{
			KeyId: key, Message: message, Signature: l.proof.made, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256,
		})
		return err == nil
	default:
		answer, err := people.Decrypt(l.s.ctx, &sdk.DecryptInput{KeyId: key, CiphertextBlob: l.proof.made})
		return err == nil && bytes.Equal(answer.Plaintext, message) && strings.HasSuffix(l.keyARN, aws.ToString(answer.KeyId))
	}
}
