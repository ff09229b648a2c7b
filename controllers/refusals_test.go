package controllers_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"

	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// What is expected of a Secret: these sentences, whatever it holds instead.
const (
	takesPEM = "With spec.material.encoding PEM the Secret must hold one PEM block with an unencrypted private key, and nothing else " +
		"but white space: PRIVATE KEY (PKCS#8), RSA PRIVATE KEY (PKCS#1, two primes), or EC PRIVATE KEY (SEC 1, a named curve that KMS imports)"
	takesP256 = "A key of KeySpec ECC_NIST_P256 takes an unencrypted EC private key on the curve P-256, given by its name and not by " +
		"explicit parameters, as PEM with spec.material.encoding PEM, or as PKCS#8 DER with Raw, Base64 or Hex; " +
		"`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out material` makes one as PEM"
	takesRSA3072 = "A key of KeySpec RSA_3072 takes an unencrypted RSA private key of 3072 bits with two primes, as PEM with " +
		"spec.material.encoding PEM, or as PKCS#8 DER with Raw, Base64 or Hex; " +
		"`openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out material` makes one as PEM"
	takes48Bytes = "A key of KeySpec HMAC_384 takes exactly 48 bytes (384 bits) of key material: `openssl rand -out material 48` makes some, " +
		"and where the Secret holds Base64 or hex text, set spec.material.encoding to Base64 or Hex"
	takes28Bytes = "A key of KeySpec HMAC_224 takes exactly 28 bytes (224 bits) of key material: `openssl rand -out material 28` makes some, " +
		"and where the Secret holds Base64 or hex text, set spec.material.encoding to Base64 or Hex"
	takesRandomBytes = "Key material must be random bytes, not text, one repeated byte, a counting sequence or a private key: " +
		"`openssl rand` makes some, and where the Secret holds Base64 or hex text, set spec.material.encoding to Base64 or Hex"
)

var _ = DescribeTable("A value that is no material for its key stalls before any call but the look, and only what is expected is said",
	func(ctx context.Context, reason string, spec kmstypes.KeySpec, encoding v1alpha1.MaterialEncoding, value func() []byte, want string) {
		By(reason)
		newSecret(ctx, "material", value())
		key := newKey(ctx, spec, kmstypes.OriginTypeExternal)
		object := newImport(ctx, "refused", key, func(o *v1alpha1.KMSKeyImport) { o.Spec.Material.Encoding = encoding })
		object = expectOutcome(ctx, object, "Ready=False InvalidKeyMaterial, Stalled")
		Expect(message(object, "Stalled")).To(Equal(`Secret "material", key "material": ` + want))
		Expect(callsFor(key)).To(Equal([]int{1, 0, 0}))
		Expect(recordOf(ctx, key)).To(BeNil())
	},
	Entry("another curve", "P-384 is none of its", kmstypes.KeySpecEccNistP256, pemEncoding, func() []byte { return newECKey(elliptic.P384()).pkcs8PEM() }, takesP256),
	Entry("a curve of the same size", "secp256k1 is 256 bits too", kmstypes.KeySpecEccNistP256, pemEncoding, func() []byte { return newSecp256k1Key().ownPEM() }, takesP256),
	Entry("another kind of key", "RSA is no curve", kmstypes.KeySpecEccNistP256, pemEncoding, func() []byte { return newRSAKey(2048).pkcs8PEM() }, takesP256),
	Entry("SEC 1 in DER", "KMS takes PKCS#8, and DER passes as it is", kmstypes.KeySpecEccNistP256, rawEncoding, func() []byte { return newECKey(elliptic.P256()).own }, takesP256),
	Entry("PEM declared as Raw", "an encoding is not guessed", kmstypes.KeySpecEccNistP256, rawEncoding, func() []byte { return newECKey(elliptic.P256()).pkcs8PEM() }, takesP256),
	Entry("another size", "2048 bits are not 3072", kmstypes.KeySpecRsa3072, pemEncoding, func() []byte { return newRSAKey(2048).ownPEM() }, takesRSA3072),
	Entry("PKCS#1 in DER", "KMS takes PKCS#8, and DER passes as it is", kmstypes.KeySpecRsa3072, rawEncoding, func() []byte { return newRSAKey(3072).own }, takesRSA3072),
	Entry("encrypted, PKCS#8", "the operator has no passphrase", kmstypes.KeySpecRsa3072, pemEncoding, encryptedPKCS8, takesPEM),
	Entry("encrypted, as OpenSSL used to", "the operator has no passphrase", kmstypes.KeySpecRsa3072, pemEncoding, encryptedPKCS1, takesPEM),
	Entry("a certificate", "it holds no private key", kmstypes.KeySpecEccNistP256, pemEncoding, certificate, takesPEM),
	Entry("a public key", "it holds no private key", kmstypes.KeySpecEccNistP256, pemEncoding, publicKey, takesPEM),
	Entry("a certificate and its key", "the Secret was made for TLS", kmstypes.KeySpecEccNistP256, pemEncoding, func() []byte { return append(certificate(), newECKey(elliptic.P256()).ownPEM()...) }, takesPEM),
	Entry("two keys", "which one is meant is not guessed", kmstypes.KeySpecEccNistP256, pemEncoding, func() []byte {
		return append(newECKey(elliptic.P256()).ownPEM(), newECKey(elliptic.P256()).ownPEM()...)
	}, takesPEM),
	Entry("parameters before the key", "`openssl ecparam -genkey` without -noout", kmstypes.KeySpecEccNistP256, pemEncoding, func() []byte {
		return append(pemBlock("EC PARAMETERS", []byte{6, 0}), newECKey(elliptic.P256()).ownPEM()...)
	}, takesPEM),
	Entry("a private key of the right length", "that of Ed25519 has 48 bytes, and PEM says what it is", kmstypes.KeySpecHmac384, pemEncoding, func() []byte { return pemBlock("PRIVATE KEY", ed25519Key()) }, takes48Bytes),
	Entry("the same in DER", "nothing but its structure says what it is", kmstypes.KeySpecHmac384, rawEncoding, ed25519Key, takesRandomBytes),
	Entry("an HMAC key that is too long", "KMS's pages disagree about it", kmstypes.KeySpecHmac224, rawEncoding, func() []byte { return randomBytes(32) }, takes28Bytes),
	Entry("text of the right bytes", "hex is not guessed", kmstypes.KeySpecHmac224, rawEncoding, func() []byte { return hexText(randomBytes(28)).value }, takes28Bytes),
)

const (
	rawEncoding v1alpha1.MaterialEncoding = "Raw"
	pemEncoding v1alpha1.MaterialEncoding = "PEM"
)

// encryptedPKCS8 is random bytes where an EncryptedPrivateKeyInfo would be.
func encryptedPKCS8() []byte { return pemBlock("ENCRYPTED PRIVATE KEY", randomBytes(1300)) }

// encryptedPKCS1 is random bytes where the ciphertext would be (RFC 1421, section 4.6).
func encryptedPKCS1() []byte {
	return pem.EncodeToMemory(&pem.Block{
		Type:    "RSA PRIVATE KEY",
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00112233445566778899AABBCCDDEEFF"},
		Bytes:   randomBytes(1200),
	})
}

func ed25519Key() []byte {
	GinkgoHelper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	der, err := x509.MarshalPKCS8PrivateKey(key)
	Expect(err).NotTo(HaveOccurred())
	Expect(der).To(HaveLen(48))
	return der
}

func certificate() []byte {
	GinkgoHelper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	Expect(err).NotTo(HaveOccurred())
	return pemBlock("CERTIFICATE", der)
}

func publicKey() []byte {
	GinkgoHelper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	Expect(err).NotTo(HaveOccurred())
	return pemBlock("PUBLIC KEY", der)
}

func wrapping(algorithm v1alpha1.WrappingAlgorithm, keySpec v1alpha1.WrappingKeySpec) func(*v1alpha1.KMSKeyImport) {
	return func(object *v1alpha1.KMSKeyImport) {
		object.Spec.Wrapping = &v1alpha1.Wrapping{Algorithm: algorithm, KeySpec: keySpec}
	}
}

func fromPEM(object *v1alpha1.KMSKeyImport) { object.Spec.Material.Encoding = "PEM" }

var _ = DescribeTable("A wrapping that the key's material does not fit stalls before GetParametersForImport, with the limit in bytes",
	func(
		ctx context.Context, spec kmstypes.KeySpec, value func() []byte, algorithm v1alpha1.WrappingAlgorithm,
		keySpec v1alpha1.WrappingKeySpec, want, chosen string,
	) {
		newSecret(ctx, "material", value())
		key := newKey(ctx, spec, kmstypes.OriginTypeExternal)
		object := newImport(ctx, "refused", key, fromPEM, wrapping(algorithm, keySpec))
		object = expectOutcome(ctx, object, "Ready=False InvalidWrapping, Stalled")
		Expect(message(object, "Stalled")).To(Equal("spec.wrapping with " + want + " is chosen"))
		Expect(callsFor(key)).To(Equal([]int{1, 0, 0}))
		Expect(recordOf(ctx, key)).To(BeNil())

		By("removing spec.wrapping")
		edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Spec.Wrapping = nil })
		object = expectOutcome(ctx, object, "Ready=True Imported")
		Expect(object.Status.Material.WrappingAlgorithm + " " + object.Status.Material.WrappingKeySpec).To(Equal(chosen))
	},
	Entry("no RSA key fits into RSA alone", kmstypes.KeySpecRsa2048, func() []byte { return newRSAKey(2048).pkcs8PEM() },
		v1alpha1.WrappingAlgorithm("RSAES_OAEP_SHA_256"), v1alpha1.WrappingKeySpec(""),
		"algorithm RSAES_OAEP_SHA_256 takes at most 446 bytes, and the material of this RSA_2048 key is longer: "+
			"remove spec.wrapping, and RSA_AES_KEY_WRAP_SHA_256 with RSA_4096", "RSA_AES_KEY_WRAP_SHA_256 RSA_4096"),
	Entry("P-521 under RSA_2048", kmstypes.KeySpecEccNistP521, func() []byte { return newECKey(elliptic.P521()).ownPEM() },
		v1alpha1.WrappingAlgorithm("RSAES_OAEP_SHA_1"), v1alpha1.WrappingKeySpec("RSA_2048"),
		"algorithm RSAES_OAEP_SHA_1 and keySpec RSA_2048 takes at most 214 bytes, and the material of this ECC_NIST_P521 key is longer: "+
			"remove spec.wrapping, and RSAES_OAEP_SHA_256 with RSA_4096", "RSAES_OAEP_SHA_256 RSA_4096"),
	Entry("P-384 with attributes, known only once the Secret was read", kmstypes.KeySpecEccNistP384,
		func() []byte { return pemBlock("PRIVATE KEY", newECKey(elliptic.P384()).withAttributes(1)) },
		v1alpha1.WrappingAlgorithm("RSAES_OAEP_SHA_256"), v1alpha1.WrappingKeySpec("RSA_2048"),
		"algorithm RSAES_OAEP_SHA_256 and keySpec RSA_2048 takes at most 190 bytes, and the material of this ECC_NIST_P384 key is longer: "+
			"remove spec.wrapping, and RSAES_OAEP_SHA_256 with RSA_4096", "RSAES_OAEP_SHA_256 RSA_4096"),
	Entry("P-384 with long attributes", kmstypes.KeySpecEccNistP384,
		func() []byte { return pemBlock("PRIVATE KEY", newECKey(elliptic.P384()).withAttributes(300)) },
		v1alpha1.WrappingAlgorithm("RSAES_OAEP_SHA_256"), v1alpha1.WrappingKeySpec("RSA_4096"),
		"algorithm RSAES_OAEP_SHA_256 and keySpec RSA_4096 takes at most 446 bytes, and the material of this ECC_NIST_P384 key is longer: "+
			"remove spec.wrapping, and RSA_AES_KEY_WRAP_SHA_256 with RSA_4096", "RSA_AES_KEY_WRAP_SHA_256 RSA_4096"),
)

var _ = Describe("A wrapping that the key's material just fits", func() {
	It("is taken, and what is 5 bytes below the limit arrives whole", func(ctx context.Context) {
		own := ecSample(elliptic.P384(), ownPEM, pkcs8PEM)()
		newSecret(ctx, "material", own.usual.value)
		key := newKey(ctx, kmstypes.KeySpecEccNistP384, kmstypes.OriginTypeExternal)
		object := expectOutcome(ctx, newImport(ctx, "imported", key, fromPEM, wrapping("RSAES_OAEP_SHA_256", "RSA_2048")), "Ready=True Imported")
		Expect(object.Status.Material.WrappingKeySpec).To(Equal("RSA_2048"))
		own.prove(ctx, key)
	})
})

var _ = DescribeTable("A key that takes no import stalls before any call but the look, with the reason",
	func(ctx context.Context, spec kmstypes.KeySpec, origin kmstypes.OriginType, shown map[string]any, want string) {
		newSecret(ctx, "material", randomMaterial())
		key := newKey(ctx, spec, origin)
		kmsWire.set(key, "DescribeKey", metadata(func(k map[string]any) { maps.Copy(k, shown) }))
		object := expectOutcome(ctx, newImport(ctx, "refused", key), "Ready=False KeyNotImportable, Stalled")
		Expect(message(object, "Stalled")).To(Equal(want))
		Expect(callsFor(key)).To(Equal([]int{1, 0, 0}))
		Expect(recordOf(ctx, key)).To(BeNil())
	},
	Entry("Ed25519, although this KMS would take it", kmstypes.KeySpecEccNistEdwards25519, kmstypes.OriginTypeExternal, nil,
		"the key's KeySpec is ECC_NIST_EDWARDS25519: KMS documents no import of Ed25519 keys; use a key of another KeySpec"),
	Entry("Ed25519 of KMS's own", kmstypes.KeySpecEccNistEdwards25519, kmstypes.OriginTypeAwsKms, nil,
		"the key's Origin is AWS_KMS: only a key created with Origin EXTERNAL takes imported material; create one, and a new KMSKeyImport for it"),
	Entry("ML-KEM, although this KMS would take it", kmstypes.KeySpecMlKem768, kmstypes.OriginTypeExternal, nil,
		"the key's KeySpec is ML_KEM_768: KMS documents no import of ML-KEM keys; use a key of another KeySpec"),
	Entry("ML-DSA", kmstypes.KeySpecEccNistP256, kmstypes.OriginTypeExternal, map[string]any{"KeySpec": "ML_DSA_65"},
		"the key's KeySpec is ML_DSA_65: KMS imports no ML-DSA keys; use a key of another KeySpec"),
	Entry("a KeySpec of tomorrow", kmstypes.KeySpecEccNistP256, kmstypes.OriginTypeExternal, map[string]any{"KeySpec": "SLH_DSA_128S"},
		"the key's KeySpec is SLH_DSA_128S: this version does not know such keys; use a key of another KeySpec"),
	Entry("a custom key store", kmstypes.KeySpecSymmetricDefault, kmstypes.OriginTypeExternal, map[string]any{"Origin": "AWS_CLOUDHSM"},
		"the key's Origin is AWS_CLOUDHSM: keys in a custom key store take no imported material; create one with Origin EXTERNAL, and a new KMSKeyImport for it"),
)
