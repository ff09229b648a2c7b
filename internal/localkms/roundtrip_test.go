package localkms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"hash"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secpecdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// source is key material with what a client can do with it outside any KMS.
type source struct {
	material []byte
	secret   []byte // of a symmetric or HMAC key
	rsa      *rsa.PrivateKey
	ec       *ecdsa.PrivateKey
	secp     *secp256k1.PrivateKey
}

// newSource makes material for a spec with the standard library, secp256k1 apart.
func newSource(t testing.TB, spec string) source {
	t.Helper()
	sizes := map[string]int{"SYMMETRIC_DEFAULT": 32, "HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
	curves := map[string]elliptic.Curve{"ECC_NIST_P256": elliptic.P256(), "ECC_NIST_P384": elliptic.P384(), "ECC_NIST_P521": elliptic.P521()}
	switch {
	case sizes[spec] != 0:
		secret := make([]byte, sizes[spec])
		_, _ = rand.Read(secret)
		return source{material: secret, secret: secret}
	case strings.HasPrefix(spec, "RSA_"):
		key := sharedRSAKey(spec)
		return source{material: pkcs8(t, key), rsa: key}
	case curves[spec] != nil:
		key, err := ecdsa.GenerateKey(curves[spec], rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return source{material: pkcs8(t, key), ec: key}
	default:
		key, err := secp256k1.GeneratePrivateKey()
		if err != nil {
			t.Fatal(err)
		}
		return source{material: secp256k1PKCS8(t, key), secp: key}
	}
}

// sharedRSAKey spares all tests but the first of a size the generation. Material is free to be in many keys.
var sharedRSAKey = func() func(string) *rsa.PrivateKey {
	bits := map[string]int{"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
	made := map[string]func() *rsa.PrivateKey{}
	for spec, size := range bits {
		made[spec] = sync.OnceValue(func() *rsa.PrivateKey {
			key, err := rsa.GenerateKey(rand.Reader, size)
			if err != nil {
				panic(err)
			}
			return key
		})
	}
	return func(spec string) *rsa.PrivateKey { return made[spec]() }
}()

func pkcs8(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// secp256k1PKCS8 is RFC 5958 around RFC 5915, which the standard library does not write for this curve.
func secp256k1PKCS8(t testing.TB, key *secp256k1.PrivateKey) []byte {
	t.Helper()
	inner, err := asn1.Marshal(struct {
		Version    int
		PrivateKey []byte
		PublicKey  asn1.BitString `asn1:"explicit,tag:1"`
	}{1, key.Serialize(), asn1.BitString{Bytes: key.PubKey().SerializeUncompressed(), BitLength: 65 * 8}})
	if err != nil {
		t.Fatal(err)
	}
	type algorithm struct{ Type, Curve asn1.ObjectIdentifier }
	der, err := asn1.Marshal(struct {
		Version    int
		Algorithm  algorithm
		PrivateKey []byte
	}{0, algorithm{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, asn1.ObjectIdentifier{1, 3, 132, 0, 10}}, inner})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// fits tells which combinations KMS offers: what is not here it must refuse.
func fits(spec, algorithm, wrappingKeySpec string) bool {
	oaep, keyWrap := strings.HasPrefix(algorithm, "RSAES_OAEP_"), strings.HasPrefix(algorithm, "RSA_AES_KEY_WRAP_")
	switch {
	case wrappingKeySpec == "SM2":
		return false
	case strings.HasPrefix(spec, "RSA_"):
		return keyWrap
	case spec == "ECC_NIST_P521" && wrappingKeySpec == "RSA_2048":
		return keyWrap
	case strings.HasPrefix(spec, "ECC_"):
		return oaep || keyWrap
	default:
		return oaep
	}
}

// TestRoundTrip tries every key spec with every wrapping: what fits is imported through the SDK, and used to prove that
// the key is exactly the one that went in; what cannot work is refused before there is anything to wrap for.
func TestRoundTrip(t *testing.T) {
	f := newFixture(t)
	specs := []string{
		"SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512", "RSA_2048", "RSA_3072", "RSA_4096",
		"ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1",
	}
	algorithms := []string{
		"RSAES_PKCS1_V1_5", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256", "SM2PKE",
	}
	for _, spec := range specs {
		material := newSource(t, spec)
		for _, algorithm := range algorithms {
			for _, wrappingKeySpec := range []string{"RSA_2048", "RSA_3072", "RSA_4096", "SM2"} {
				t.Run(spec+"/"+algorithm+"/"+wrappingKeySpec, func(t *testing.T) {
					f := f.in(t)
					keyID := f.createKey(spec, "EXTERNAL")
					if !fits(spec, algorithm, wrappingKeySpec) {
						body := object{"KeyId": keyID, "WrappingAlgorithm": algorithm, "WrappingKeySpec": wrappingKeySpec}
						f.expect(f.call("GetParametersForImport", body.String()), "ValidationException",
							"Wrapping algorithm "+algorithm+" and wrapping key spec "+wrappingKeySpec+" cannot be used to import a "+spec+" key.")
						return
					}
					f.importThrough(keyID, algorithm, wrappingKeySpec, material)
					f.prove(keyID, material)
				})
			}
		}
	}
}

func (f *fixture) importThrough(keyID, algorithm, wrappingKeySpec string, s source) {
	f.t.Helper()
	p := f.parameters(keyID, algorithm, wrappingKeySpec)
	public, err := x509.ParsePKIXPublicKey(p.publicKey)
	if err != nil {
		f.t.Fatal(err)
	}
	if got := "RSA_" + map[int]string{256: "2048", 384: "3072", 512: "4096"}[public.(*rsa.PublicKey).Size()]; got != wrappingKeySpec {
		f.t.Errorf("wrapping key of %s", got)
	}
	out, err := f.client.ImportKeyMaterial(f.t.Context(), &kms.ImportKeyMaterialInput{
		KeyId: &keyID, ImportToken: p.token, EncryptedKeyMaterial: p.wrap(f.t, s.material),
		ExpirationModel: types.ExpirationModelTypeKeyMaterialDoesNotExpire,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	if *out.KeyId != arnOf(keyID) {
		f.t.Errorf("KeyId %s", *out.KeyId)
	}
	f.expectState(keyID, "Enabled")
}

// prove uses a key and its source against each other.
func (f *fixture) prove(keyID string, s source) {
	f.t.Helper()
	message := []byte("message")
	switch {
	case s.secret != nil && f.metadata(keyID)["KeySpec"] == "SYMMETRIC_DEFAULT":
		f.proveEncryption(keyID, s.secret)
	case s.secret != nil:
		hashes := map[int]func() hash.Hash{28: sha256.New224, 32: sha256.New, 48: sha512.New384, 64: sha512.New}
		mac := hmac.New(hashes[len(s.secret)], s.secret)
		mac.Write(message)
		algorithm := f.metadata(keyID)["MacAlgorithms"].([]any)[0]
		made := f.must("GenerateMac", object{"KeyId": keyID, "Message": message, "MacAlgorithm": algorithm})
		if !bytes.Equal(made.blob(f.t, "Mac"), mac.Sum(nil)) {
			f.t.Error("the MAC is not that of the source")
		}
	case s.rsa != nil:
		ciphertext, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &s.rsa.PublicKey, message, nil)
		if err != nil {
			f.t.Fatal(err)
		}
		a := f.must("Decrypt", object{"KeyId": keyID, "CiphertextBlob": ciphertext, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"})
		if !bytes.Equal(a.blob(f.t, "Plaintext"), message) {
			f.t.Error("what was encrypted for the source is not what the key decrypts")
		}
	default:
		f.proveSignature(keyID, s, message)
	}
}

func (f *fixture) proveSignature(keyID string, s source, message []byte) {
	f.t.Helper()
	algorithm := f.metadata(keyID)["SigningAlgorithms"].([]any)[0].(string)
	hashes := map[string]crypto.Hash{"ECDSA_SHA_256": crypto.SHA256, "ECDSA_SHA_384": crypto.SHA384, "ECDSA_SHA_512": crypto.SHA512}
	h := hashes[algorithm].New()
	h.Write(message)
	digest := h.Sum(nil)
	signed := f.must("Sign", object{"KeyId": keyID, "Message": message, "SigningAlgorithm": algorithm}).blob(f.t, "Signature")
	var own []byte
	if s.secp != nil {
		parsed, err := secpecdsa.ParseDERSignature(signed)
		if err != nil || !parsed.Verify(digest, s.secp.PubKey()) {
			f.t.Errorf("the source does not verify what the key signed: %v", err)
		}
		own = secpecdsa.Sign(s.secp, digest).Serialize()
	} else {
		if !ecdsa.VerifyASN1(&s.ec.PublicKey, digest, signed) {
			f.t.Error("the source does not verify what the key signed")
		}
		var err error
		if own, err = ecdsa.SignASN1(rand.Reader, s.ec, digest); err != nil {
			f.t.Fatal(err)
		}
	}
	body := object{"KeyId": keyID, "Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": algorithm, "Signature": own}
	if a := f.must("Verify", body); a.fields["SignatureValid"] != true {
		f.t.Errorf("Verify: %s", a.body)
	}
	own[len(own)-1] ^= 1
	f.expect(f.call("Verify", body.String()), "KMSInvalidSignatureException", "")
}

// proveEncryption shows that the key works and that it accepts again the same bytes and no others.
func (f *fixture) proveEncryption(keyID string, material []byte) {
	f.t.Helper()
	materialID := f.metadata(keyID)["CurrentKeyMaterialId"]
	encrypted := f.must("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("plaintext")}).fields["CiphertextBlob"]
	f.must("DeleteImportedKeyMaterial", object{"KeyId": keyID})
	other := append([]byte{material[0] ^ 1}, material[1:]...)
	f.expect(f.importMaterial(keyID, other, nil), "IncorrectKeyMaterialException", "")
	f.expect(f.importMaterial(keyID, material, nil), "", "")
	decrypted := f.must("Decrypt", object{"CiphertextBlob": encrypted})
	if string(decrypted.blob(f.t, "Plaintext")) != "plaintext" || decrypted.fields["KeyId"] != arnOf(keyID) || decrypted.fields["KeyMaterialId"] != materialID {
		f.t.Errorf("decrypted: %s", decrypted.body)
	}
}

// TestRSASigning covers the algorithms that the round trip does not.
func TestRSASigning(t *testing.T) {
	f := newFixture(t)
	s := newSource(t, "RSA_3072")
	keyID := f.createKeyFor("RSA_3072", "EXTERNAL", "SIGN_VERIFY")
	f.importThrough(keyID, "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048", s)
	message := []byte("message")
	for _, listed := range f.metadata(keyID)["SigningAlgorithms"].([]any) {
		algorithm := listed.(string)
		t.Run(algorithm, func(t *testing.T) {
			f := f.in(t)
			hashed := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[algorithm[len(algorithm)-3:]]
			h := hashed.New()
			h.Write(message)
			signature := f.must("Sign", object{"KeyId": keyID, "Message": message, "SigningAlgorithm": algorithm}).blob(t, "Signature")
			var err error
			if strings.HasPrefix(algorithm, "RSASSA_PSS") {
				err = rsa.VerifyPSS(&s.rsa.PublicKey, hashed, h.Sum(nil), signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
			} else {
				err = rsa.VerifyPKCS1v15(&s.rsa.PublicKey, hashed, h.Sum(nil), signature)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	f.expect(f.call("Sign", object{"KeyId": keyID, "Message": message, "MessageType": "DIGEST", "SigningAlgorithm": "RSASSA_PSS_SHA_256"}.String()), "ValidationException", "")
}

// TestKeyAgreement derives the same secret on both sides.
func TestKeyAgreement(t *testing.T) {
	f := newFixture(t)
	for spec, curve := range map[string]ecdh.Curve{"ECC_NIST_P256": ecdh.P256(), "ECC_NIST_P384": ecdh.P384(), "ECC_NIST_P521": ecdh.P521()} {
		t.Run(spec, func(t *testing.T) {
			f := f.in(t)
			s := newSource(t, spec)
			keyID := f.createKeyFor(spec, "EXTERNAL", "KEY_AGREEMENT")
			f.importThrough(keyID, "RSAES_OAEP_SHA_256", "RSA_4096", s)
			peer, err := curve.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			public, err := x509.MarshalPKIXPublicKey(peer.PublicKey())
			if err != nil {
				t.Fatal(err)
			}
			own, err := s.ec.ECDH()
			if err != nil {
				t.Fatal(err)
			}
			want, err := own.ECDH(peer.PublicKey())
			if err != nil {
				t.Fatal(err)
			}
			a := f.must("DeriveSharedSecret", object{"KeyId": keyID, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public})
			if !bytes.Equal(a.blob(t, "SharedSecret"), want) || a.fields["KeyOrigin"] != "EXTERNAL" {
				t.Error("another secret than the source derives")
			}
			f.expect(f.call("DeriveSharedSecret", object{"KeyId": keyID, "KeyAgreementAlgorithm": "ECDH", "PublicKey": slices.Concat(public, []byte{0})}.String()), "ValidationException", "")
		})
	}
}

// TestPublicKeys compares what GetPublicKey shows with the source, and with a key that KMS made.
func TestPublicKeys(t *testing.T) {
	f := newFixture(t)
	s := newSource(t, "ECC_NIST_P256")
	keyID := f.createKey("ECC_NIST_P256", "EXTERNAL")
	f.expect(f.call("GetPublicKey", object{"KeyId": keyID}.String()), "KMSInvalidStateException", arnOf(keyID)+" is pending import.")
	f.importThrough(keyID, "RSAES_OAEP_SHA_256", "RSA_2048", s)
	want, err := x509.MarshalPKIXPublicKey(&s.ec.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	a := f.must("GetPublicKey", object{"KeyId": keyID})
	if !bytes.Equal(a.blob(t, "PublicKey"), want) || a.fields["KeySpec"] != "ECC_NIST_P256" || a.fields["KeyUsage"] != "SIGN_VERIFY" {
		t.Errorf("GetPublicKey: %s", a.body)
	}
	symmetric := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	f.expect(f.call("GetPublicKey", object{"KeyId": symmetric}.String()), "UnsupportedOperationException", "")
	for _, spec := range []string{"RSA_2048", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519"} {
		made := f.createKeyFor(spec, "AWS_KMS", "SIGN_VERIFY")
		if len(f.must("GetPublicKey", object{"KeyId": made}).blob(t, "PublicKey")) == 0 {
			t.Errorf("%s has no public key", spec)
		}
	}
}
