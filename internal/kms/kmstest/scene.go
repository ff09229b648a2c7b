package kmstest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // KMS offers RSAES_OAEP_SHA_1
	_ "crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// scene is one promise being checked: what its steps are made of.
type scene struct {
	*testing.T
	Harness
	reason      string
	ownMaterial []byte   // that of Harness.Key, or of this scene's keys once there is one
	materials   [][]byte // those that no text may hold
}

// keyBytes is the length of a symmetric key's material.
const keyBytes = 32

func (s *scene) isQKMS() bool { return s.Dialect == kms.DialectQKMS }

// must ends the scene at an error where there may be none.
func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s: %v", s.reason, err)
	}
}

func (s *scene) expect(kept bool, format string, args ...any) {
	s.Helper()
	if !kept {
		s.Errorf(s.reason+": "+format, args...)
	}
}

// key is an empty symmetric key that all of the KMS knows: Harness.Key, emptied, or a new one. It takes the own material
// and no other.
func (s *scene) key() string {
	s.Helper()
	if s.Key == "" {
		return s.newKey()
	}
	state := s.look(s.Key).State
	if state == kms.KeyStateDisabled { // a promise ended halfway
		s.must(s.Keys.Enable(s.Context(), s.Key))
		s.Settle()
	}
	if state != kms.KeyStatePendingImport {
		s.deleteMaterial(s.Key)
	}
	return s.Key
}

// newKey makes an empty symmetric key, even beside Harness.Key.
func (s *scene) newKey() string {
	s.Helper()
	return s.keyOf(kms.KeySpecSymmetricDefault, kms.OriginExternal)
}

// own is the material of symmetric keys in this scene.
func (s *scene) own() []byte {
	if s.ownMaterial == nil {
		s.ownMaterial = random(keyBytes)
	}
	s.materials = append(s.materials, s.ownMaterial)
	return s.ownMaterial
}

func (s *scene) keyOf(spec kms.KeySpec, origin kms.Origin) string {
	s.Helper()
	keyARN, err := s.Keys.Create(s.Context(), spec, origin)
	s.must(err)
	s.Settle()
	return keyARN
}

// nobody is the ARN of a key that does not exist: like another's, with an ID of its own.
func (s *scene) nobody() string {
	s.Helper()
	keyARN := s.Key
	if keyARN == "" {
		keyARN = s.newKey()
	}
	digits := hex.EncodeToString(random(16))
	return keyARN[:strings.LastIndex(keyARN, "/")+1] + strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-")
}

func random(length int) []byte {
	raw := make([]byte, length)
	_, _ = rand.Read(raw) // documented never to fail
	return raw
}

// material makes other random bytes, which must not turn up in any text.
func (s *scene) material(length int) []byte {
	raw := random(length)
	if length >= 16 { // shorter ones may turn up by chance
		s.materials = append(s.materials, raw)
	}
	return raw
}

func (s *scene) look(keyARN string) kms.Key {
	s.Helper()
	key, err := s.Service.DescribeKey(s.Context(), keyARN)
	s.must(err)
	s.expect(key.ARN == keyARN, "a look at %s shows %s", keyARN, key.ARN)
	return key
}

// wrapping is one that every dialect has.
func wrapping() kms.Wrapping {
	return kms.Wrapping{Algorithm: kms.RSAESOAEPSHA256, KeySpec: kms.WrappingKeyRSA2048}
}

// seal wraps material for fresh parameters of a key.
func (s *scene) seal(keyARN string, raw []byte) kms.SealedMaterial {
	s.Helper()
	sealed, err := s.trySeal(keyARN, wrapping(), raw)
	s.must(err)
	return sealed
}

func (s *scene) trySeal(keyARN string, with kms.Wrapping, raw []byte) (kms.SealedMaterial, error) {
	parameters, err := s.Service.GetParametersForImport(s.Context(), keyARN, with)
	if err != nil {
		return kms.SealedMaterial{}, err
	}
	return parameters.Seal(func(w kms.Wrapping, publicKey *rsa.PublicKey) ([]byte, error) {
		return wrap(w.Algorithm, publicKey, raw)
	})
}

// wrap shares no code with what the operator wraps with.
func wrap(algorithm kms.WrappingAlgorithm, publicKey *rsa.PublicKey, raw []byte) ([]byte, error) {
	hash := crypto.SHA256
	if algorithm == kms.RSAESOAEPSHA1 {
		hash = crypto.SHA1
	}
	return rsa.EncryptOAEP(hash.New(), rand.Reader, publicKey, raw, nil)
}

func permanent() kms.Expiry { return kms.Expiry{Model: kms.KeyMaterialDoesNotExpire} }

// put imports for good what must be taken, and lets it show.
func (s *scene) put(keyARN string, raw []byte) kms.ImportResult {
	s.Helper()
	return s.putUntil(keyARN, raw, permanent())
}

func (s *scene) putUntil(keyARN string, raw []byte, expiry kms.Expiry) kms.ImportResult {
	s.Helper()
	result, err := s.Service.ImportKeyMaterial(s.Context(), kms.ImportRequest{Material: s.seal(keyARN, raw), Expiry: expiry})
	s.must(err)
	s.Settle()
	return result
}

// send tries an import for good.
func (s *scene) send(sealed kms.SealedMaterial) error {
	_, err := s.Service.ImportKeyMaterial(s.Context(), kms.ImportRequest{Material: sealed, Expiry: permanent()})
	s.Settle()
	return err
}

// deleteMaterial empties a key, and lets it show.
func (s *scene) deleteMaterial(keyARN string) {
	s.Helper()
	_, err := s.Service.DeleteImportedKeyMaterial(s.Context(), kms.DeletionRequest{KeyARN: keyARN})
	s.must(err)
	s.Settle()
}

// opens reports whether a key opens what it has encrypted before.
func (s *scene) opens(keyARN string, ciphertext []byte) bool {
	plaintext, err := s.Keys.Decrypt(s.Context(), keyARN, ciphertext)
	return err == nil && string(plaintext) == "before"
}

func (s *scene) encrypt(keyARN string) []byte {
	s.Helper()
	ciphertext, err := s.Keys.Encrypt(s.Context(), keyARN, []byte("before"))
	s.must(err)
	return ciphertext
}

// refused checks an error that says that nothing was done.
func (s *scene) refused(err error, operation string, classes ...kms.ErrorClass) {
	s.Helper()
	if err == nil {
		s.Fatalf("%s: %s succeeds", s.reason, operation)
	}
	s.takenOr(err, operation, classes...)
}

// takenOr reports success, and checks any error as refused does.
func (s *scene) takenOr(err error, operation string, classes ...kms.ErrorClass) bool {
	s.Helper()
	if err == nil {
		return true
	}
	kmsError := s.classified(err)
	s.expect(kmsError.Operation == operation && slices.Contains(classes, kmsError.Class) && !kmsError.OutcomeUnknown(),
		"%v of %s has the class %s, outcome unknown %t, want %s with one of %v", err, kmsError.Operation, kmsError.Class, kmsError.OutcomeUnknown(), operation, classes)
	return false
}

// classified checks what holds of every error.
func (s *scene) classified(err error) *kms.Error {
	s.Helper()
	kmsError, ok := kms.AsError(err)
	if !ok {
		s.Fatalf("%s: an error is no *kms.Error: %T", s.reason, err)
	}
	s.expect(!strings.ContainsAny(err.Error(), "\r\n"), "the error is not one line: %q", err)
	for _, raw := range s.materials {
		for _, written := range []string{string(raw), hex.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw)} {
			if strings.Contains(err.Error(), written) {
				s.Fatalf("%s: the error holds key material", s.reason)
			}
		}
	}
	return kmsError
}
