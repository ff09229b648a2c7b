package controllers_test

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strings"

	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// spelling is a value of a Secret, and the encoding that is declared of it.
type spelling struct {
	encoding v1alpha1.MaterialEncoding
	value    []byte
}

// sample is material in two spellings, and what proves that a key holds it.
type sample struct {
	usual, other spelling
	prove        func(ctx context.Context, key string)
}

var _ = DescribeTable("Every kind of key is imported from its usual form and healed from another",
	func(ctx context.Context, reason string, spec kmstypes.KeySpec, makeSample func() sample, wrapping string) {
		By(reason)
		material := makeSample()
		newSecretWith(ctx, "material", map[string][]byte{"material": material.usual.value, "other": material.other.value})
		key := newKey(ctx, spec, kmstypes.OriginTypeExternal)
		object := newImport(ctx, "imported", key, func(o *v1alpha1.KMSKeyImport) { o.Spec.Material.Encoding = material.usual.encoding })
		object = expectOutcome(ctx, object, "Ready=True Imported")
		Expect(object.Status.Material.WrappingAlgorithm + " " + object.Status.Material.WrappingKeySpec).To(Equal(wrapping))
		Expect(callsFor(key)).To(Equal([]int{2, 1, 1}))
		material.prove(ctx, key)

		By("the same material in another spelling is no change")
		edit(ctx, object, func(o *v1alpha1.KMSKeyImport) {
			o.Spec.Material.SecretRef.Key, o.Spec.Material.Encoding = "other", material.other.encoding
		})
		object = expectOutcome(ctx, object, "Ready=True Imported")
		Expect(kmsWire.changes(key)).To(Equal(2), "those of the first import")

		By("and heals the key")
		deleteMaterial(ctx, key)
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(kmsWire.changes(key)).To(Equal(4))
		material.prove(ctx, key)
	},
	Entry("SYMMETRIC_DEFAULT", "32 bytes; Base64 as URLs have it", kmstypes.KeySpecSymmetricDefault, symmetric, "RSAES_OAEP_SHA_256 RSA_4096"),
	Entry("HMAC_224", "28 bytes, which Base64 would pad", kmstypes.KeySpecHmac224, mac(28, sha256.New224, hexText, base64Unpadded), "RSAES_OAEP_SHA_256 RSA_4096"),
	Entry("HMAC_256", "what `openssl rand -base64` writes", kmstypes.KeySpecHmac256, mac(32, sha256.New, base64Text, rawBytes), "RSAES_OAEP_SHA_256 RSA_4096"),
	Entry("HMAC_384", "48 bytes, which Base64 never pads", kmstypes.KeySpecHmac384, mac(48, sha512.New384, base64URL, hexText), "RSAES_OAEP_SHA_256 RSA_4096"),
	Entry("HMAC_512", "64 bytes, not the 32 that Base64 or hex text of 64 would be", kmstypes.KeySpecHmac512, mac(64, sha512.New, rawBytes, base64Unpadded), "RSAES_OAEP_SHA_256 RSA_4096"),
	Entry("RSA_2048", "PKCS#8, as `openssl genpkey` writes it", kmstypes.KeySpecRsa2048, rsaSample(2048, pkcs8PEM, ownPEM), "RSA_AES_KEY_WRAP_SHA_256 RSA_4096"),
	Entry("RSA_3072", "PKCS#1, as `openssl genrsa -traditional` writes it", kmstypes.KeySpecRsa3072, rsaSample(3072, ownPEM, pkcs8PEM), "RSA_AES_KEY_WRAP_SHA_256 RSA_4096"),
	Entry("RSA_4096", "the longest material there is; as DER too", kmstypes.KeySpecRsa4096, rsaSample(4096, ownPEM, pkcs8DER), "RSA_AES_KEY_WRAP_SHA_256 RSA_4096"),
	Entry("ECC_NIST_P256", "SEC 1, as `openssl ecparam -genkey -noout` writes it", kmstypes.KeySpecEccNistP256, ecSample(elliptic.P256(), ownPEM, pkcs8PEM), "RSAES_OAEP_SHA_256 RSA_4096"),
	Entry("ECC_NIST_P384", "PKCS#8, as `openssl genpkey` writes it", kmstypes.KeySpecEccNistP384, ecSample(elliptic.P384(), pkcs8PEM, ownPEM), "RSAES_OAEP_SHA_256 RSA_4096"),
	Entry("ECC_NIST_P521", "too long for RSA_2048, and not for RSA_4096", kmstypes.KeySpecEccNistP521, ecSample(elliptic.P521(), ownPEM, pkcs8DER), "RSAES_OAEP_SHA_256 RSA_4096"),
	Entry("ECC_SECG_P256K1", "a curve that Go does not have", kmstypes.KeySpecEccSecgP256k1, secp256k1Sample(ownPEM, pkcs8PEM), "RSAES_OAEP_SHA_256 RSA_4096"),
)

// callsFor is how often the three operations of an import were asked of a key.
func callsFor(key string) []int {
	return []int{kmsWire.count(key, "DescribeKey"), kmsWire.count(key, "GetParametersForImport"), kmsWire.count(key, "ImportKeyMaterial")}
}

func rawBytes(material []byte) spelling { return spelling{"Raw", material} }

func hexText(material []byte) spelling {
	return spelling{"Hex", []byte(strings.ToUpper(hex.EncodeToString(material)) + "\n")}
}

func base64Text(material []byte) spelling {
	return spelling{"Base64", []byte(base64.StdEncoding.EncodeToString(material) + "\n")}
}

func base64Unpadded(material []byte) spelling {
	return spelling{"Base64", []byte(base64.RawStdEncoding.EncodeToString(material))}
}

func base64URL(material []byte) spelling {
	return spelling{"Base64", []byte(base64.RawURLEncoding.EncodeToString(material))}
}

// distinctive is random bytes whose first three are spelled "+/+/" in one alphabet of Base64 and "-_-_" in the other.
func distinctive(length int) []byte {
	GinkgoHelper()
	material := randomBytes(length)
	copy(material, []byte{0xfb, 0xff, 0xbf})
	return material
}

// symmetric is proven by a ciphertext: of the first call, which the second opens.
func symmetric() sample {
	material := distinctive(32)
	var ciphertext []byte
	return sample{rawBytes(material), base64URL(material), func(ctx context.Context, key string) {
		GinkgoHelper()
		if ciphertext == nil {
			ciphertext = encrypt(ctx, key, "written before")
		}
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	}}
}

// mac is proven by a MAC that was made with the same bytes.
func mac(length int, hash func() hash.Hash, usual, other func([]byte) spelling) func() sample {
	return func() sample {
		material := distinctive(length)
		own := hmac.New(hash, material)
		own.Write([]byte("message"))
		algorithm := map[int]kmstypes.MacAlgorithmSpec{28: "HMAC_SHA_224", 32: "HMAC_SHA_256", 48: "HMAC_SHA_384", 64: "HMAC_SHA_512"}[length]
		return sample{usual(material), other(material), func(ctx context.Context, key string) {
			GinkgoHelper()
			_, err := local.admin.VerifyMac(ctx, &awskmssdk.VerifyMacInput{
				KeyId: &key, MacAlgorithm: algorithm, Message: []byte("message"), Mac: own.Sum(nil),
			})
			Expect(err).NotTo(HaveOccurred())
		}}
	}
}

func pkcs8PEM(key privateKey) spelling { return spelling{"PEM", key.pkcs8PEM()} }
func ownPEM(key privateKey) spelling   { return spelling{"PEM", key.ownPEM()} }
func pkcs8DER(key privateKey) spelling { return spelling{"Raw", key.pkcs8} }

func rsaSample(bits int, usual, other func(privateKey) spelling) func() sample {
	return func() sample { return signing(newRSAKey(bits), "RSASSA_PSS_SHA_256", crypto.SHA256, usual, other) }
}

func ecSample(curve elliptic.Curve, usual, other func(privateKey) spelling) func() sample {
	algorithm, hash := kmstypes.SigningAlgorithmSpecEcdsaSha256, crypto.SHA256
	switch curve.Params().BitSize {
	case 384:
		algorithm, hash = kmstypes.SigningAlgorithmSpecEcdsaSha384, crypto.SHA384
	case 521:
		algorithm, hash = kmstypes.SigningAlgorithmSpecEcdsaSha512, crypto.SHA512
	}
	return func() sample { return signing(newECKey(curve), algorithm, hash, usual, other) }
}

func secp256k1Sample(usual, other func(privateKey) spelling) func() sample {
	return func() sample { return signing(newSecp256k1Key(), "ECDSA_SHA_256", crypto.SHA256, usual, other) }
}

// signing is proven by a signature of KMS's, which the public half of the private key verifies.
func signing(
	own privateKey, algorithm kmstypes.SigningAlgorithmSpec, hash crypto.Hash, usual, other func(privateKey) spelling,
) sample {
	return sample{usual(own), other(own), func(ctx context.Context, key string) {
		GinkgoHelper()
		answer, err := local.admin.Sign(ctx, &awskmssdk.SignInput{KeyId: &key, SigningAlgorithm: algorithm, Message: []byte("message")})
		Expect(err).NotTo(HaveOccurred())
		digest := hash.New()
		digest.Write([]byte("message"))
		Expect(own.verify(hash, digest.Sum(nil), answer.Signature)).To(BeTrue(), "KMS signs with the Secret's private key")
	}}
}
