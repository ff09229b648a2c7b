//go:build kill && unix

package kill_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8stypes "k8s.io/apimachinery/pkg/types"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

const (
	validFor    = 10 * time.Minute
	renewBefore = 9 * time.Minute // so that a renewal is due within a minute of each import
)

// key is one key of the fleet: what it should be, and what is known of it.
type key struct {
	name    k8stypes.NamespacedName // of its KMSKeyImport
	secret  string                  // the name of its Secret
	arn     string
	spec    types.KeySpec
	bytes   []byte // the material
	value   []byte // as the Secret has it
	object  v1alpha1.KMSKeyImportSpec
	spared  bool // its material is never deleted
	fate    fate
	adopted bool // its material is in the key before there is an object

	kept []byte // what KMS made with the key at first

	// Taken at the first sight of a settled object.
	fingerprint string
	validTo     time.Time

	left bool // deleted, held, and nobody asks for it

	tellAt time.Time // when somebody asks for a look at what was deleted; zero: nothing was
	told   bool      // that was asked for

	permits int  // how often managers were to delete its material
	applied int  // how often its object was made
	away    bool // the object was deleted, and not applied again yet
	back    bool // it was applied again, and is not settled yet
}

// seen reports whether its object was settled once.
func (k *key) seen() bool { return k.fingerprint != "" }

// idle reports whether nothing is under way that people have begun.
func (k *key) idle() bool { return k.seen() && !k.away && !k.back }

func (k *key) holds() bool   { return k.object.OnMaterialDeleted == v1alpha1.DeletionResponseHold }
func (k *key) expires() bool { return k.object.Expiration != nil }

// newKey makes up the n-th key: which kind it is follows from n.
func newKey(n int, namespace string) *key {
	k := &key{name: k8stypes.NamespacedName{Namespace: namespace, Name: fmt.Sprintf("key-%03d", n)}, spec: types.KeySpecSymmetricDefault}
	encoding := v1alpha1.MaterialEncodingRaw
	k.bytes = make([]byte, 32)
	_, _ = rand.Read(k.bytes) // never fails
	switch {
	case n%20 == 0:
		k.spec = types.KeySpecHmac256
	case n%20 == 10:
		k.spec, k.bytes = types.KeySpecEccNistP256, newPrivateKey()
	case n%3 == 1:
		encoding = v1alpha1.MaterialEncodingBase64
	case n%3 == 2:
		encoding = v1alpha1.MaterialEncodingHex
	}
	k.secret, k.fate = k.name.Name, retains
	k.object = v1alpha1.KMSKeyImportSpec{
		Material: v1alpha1.KeyMaterialSource{SecretRef: v1alpha1.SecretKeyReference{Name: k.secret}, Encoding: encoding},
	}
	k.value = encoded(encoding, k.bytes)
	if n%25 != 4 { // the default is RSA_4096, which takes both sides longer
		k.object.Wrapping = &v1alpha1.Wrapping{KeySpec: "RSA_2048"}
	}
	switch {
	case n%2 == 0:
		k.object.Expiration = &v1alpha1.Expiration{ValidFor: &metav1.Duration{Duration: validFor}, RenewBefore: &metav1.Duration{Duration: renewBefore}}
		k.spared = n%10 == 6
	case n%5 == 4:
		k.object.OnMaterialDeleted = v1alpha1.DeletionResponseHold
	}
	k.part(n)
	return k
}

// part has a key be adopted, or its object ask for the deletion of its material.
func (k *key) part(n int) {
	switch n % 20 {
	case 2, 7:
		k.adopted = true
	case 3, 12:
		k.ask(withdraws)
	case 13:
		k.ask([]fate{pruned, suspends}[n/20%2])
	case 17:
		k.ask(adopts)
	}
}

func newPrivateKey() []byte {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // documented never to happen
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err) // likewise
	}
	return der
}

func encoded(encoding v1alpha1.MaterialEncoding, material []byte) []byte {
	switch encoding {
	case v1alpha1.MaterialEncodingBase64:
		return []byte(base64.StdEncoding.EncodeToString(material))
	case v1alpha1.MaterialEncodingHex:
		return []byte(hex.EncodeToString(material))
	case v1alpha1.MaterialEncodingRaw, v1alpha1.MaterialEncodingPEM:
	}
	return material
}

// message is what keys are used on.
const message = "the quick brown fox"

// make has KMS use the key.
func (k *key) make(ctx context.Context, users *sdk.Client) ([]byte, error) {
	if k.spec == types.KeySpecHmac256 {
		answer, err := users.GenerateMac(ctx, &sdk.GenerateMacInput{KeyId: &k.arn, Message: []byte(message), MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
		if err != nil {
			return nil, err
		}
		return answer.Mac, nil
	}
	if k.spec == types.KeySpecEccNistP256 {
		answer, err := users.Sign(ctx, &sdk.SignInput{KeyId: &k.arn, Message: []byte(message), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
		if err != nil {
			return nil, err
		}
		return answer.Signature, nil
	}
	answer, err := users.Encrypt(ctx, &sdk.EncryptInput{KeyId: &k.arn, Plaintext: []byte(message)})
	if err != nil {
		return nil, err
	}
	return answer.CiphertextBlob, nil
}

// take checks what KMS made: with the material, or by KMS itself where nobody else can.
func (k *key) take(ctx context.Context, users *sdk.Client, made []byte) error {
	if k.spec == types.KeySpecHmac256 {
		mac := hmac.New(sha256.New, k.bytes)
		mac.Write([]byte(message))
		return errUnless(hmac.Equal(mac.Sum(nil), made), "KMS computes another HMAC than the Secret's material does")
	}
	if k.spec == types.KeySpecEccNistP256 {
		private, err := x509.ParsePKCS8PrivateKey(k.bytes)
		if err != nil {
			return errors.New("the material of this test is no private key")
		}
		digest := sha256.Sum256([]byte(message))
		public, _ := private.(crypto.Signer).Public().(*ecdsa.PublicKey)
		return errUnless(ecdsa.VerifyASN1(public, digest[:], made), "KMS signs with another private key than the Secret's")
	}
	answer, err := users.Decrypt(ctx, &sdk.DecryptInput{KeyId: &k.arn, CiphertextBlob: made})
	if err != nil {
		return err
	}
	return errUnless(bytes.Equal(answer.Plaintext, []byte(message)), "KMS decrypts to something else than was encrypted")
}

func errUnless(holds bool, text string) error {
	if holds {
		return nil
	}
	return errors.New(text)
}

// reimport imports material into the key, by other code than the operator's. KMS takes only what the key has had.
func (k *key) reimport(ctx context.Context, users *sdk.Client, material []byte) error {
	parameters, err := users.GetParametersForImport(ctx, &sdk.GetParametersForImportInput{
		KeyId: &k.arn, WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: types.WrappingKeySpecRsa2048,
	})
	if err != nil {
		return err
	}
	public, err := x509.ParsePKIXPublicKey(parameters.PublicKey)
	if err != nil {
		return err
	}
	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public.(*rsa.PublicKey), material, nil)
	if err != nil {
		return errors.New("the material could not be wrapped")
	}
	_, err = users.ImportKeyMaterial(ctx, &sdk.ImportKeyMaterialInput{
		KeyId: &k.arn, ImportToken: parameters.ImportToken, EncryptedKeyMaterial: sealed,
		ExpirationModel: types.ExpirationModelTypeKeyMaterialDoesNotExpire,
	})
	return err
}

// code is the error code of a KMS error.
func code(err error) string {
	if failure, ok := errors.AsType[smithy.APIError](err); ok {
		return failure.ErrorCode()
	}
	return ""
}

// traces are what would betray the material in a text.
func (k *key) traces() [][]byte {
	return [][]byte{
		k.bytes, k.value,
		[]byte(base64.StdEncoding.EncodeToString(k.bytes)), []byte(base64.RawURLEncoding.EncodeToString(k.bytes)),
		[]byte(base64.StdEncoding.EncodeToString(k.value)),
		[]byte(hex.EncodeToString(k.bytes)), bytes.ToUpper([]byte(hex.EncodeToString(k.bytes))),
	}
}
