package localkms_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"runtime"
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// BenchmarkGetParametersForImport asks for the parameters of one key, with a warm pool: signature, JSON and token included,
// transport not.
func BenchmarkGetParametersForImport(b *testing.B) {
	h := newHandler(b, localkms.Options{})
	key := h.createKey(b, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EXTERNAL")
	h.warm(b, key, "RSA_4096")
	r := h.prepare(b, "GetParametersForImport", object{
		"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_4096",
	})
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h.must(b, r)
		}
		reportRate(b)
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				h.must(b, r)
			}
		})
		reportRate(b)
	})
}

// BenchmarkImportKeyMaterial imports the same material again and again, and compares that with what no server can do
// without: one decryption with the wrapping key. RSA is how often that would fit into an import.
func BenchmarkImportKeyMaterial(b *testing.B) {
	h := newHandler(b, localkms.Options{Assume: []localkms.Assumption{localkms.TokenReusable}})
	for _, bits := range []int{2048, 3072, 4096} {
		spec := map[int]string{2048: "RSA_2048", 3072: "RSA_3072", 4096: "RSA_4096"}[bits]
		b.Run(spec, func(b *testing.B) {
			key := h.createKey(b, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EXTERNAL")
			h.warm(b, key, spec)
			r := h.prepareImport(b, h.importParameters(b, key, "RSAES_OAEP_SHA_256", spec), key, randomBytes(b, 32))
			own, blob := wrappedByMe(b, bits)
			var bare time.Duration
			for b.Loop() {
				h.must(b, r)
				b.StopTimer()
				begin := time.Now()
				if _, err := rsa.DecryptOAEP(sha256.New(), nil, own, blob, nil); err != nil {
					b.Fatal(err)
				}
				bare += time.Since(begin)
				b.StartTimer()
			}
			b.ReportMetric(float64(bare.Nanoseconds())/float64(b.N), "ns-bare/op")
			b.ReportMetric(b.Elapsed().Seconds()/bare.Seconds(), "RSA")
		})
	}
}

// BenchmarkUse is the rest of what a busy client does.
func BenchmarkUse(b *testing.B) {
	h := newHandler(b, localkms.Options{})
	symmetric := h.createKey(b, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS")
	mac := h.createKey(b, "HMAC_256", "GENERATE_VERIFY_MAC", "AWS_KMS")
	elliptic := h.createKey(b, "ECC_NIST_P256", "SIGN_VERIFY", "AWS_KMS")
	modular := h.createKey(b, "RSA_2048", "SIGN_VERIFY", "AWS_KMS")
	sealed := h.answerOf(b, "Encrypt", object{"KeyId": symmetric, "Plaintext": []byte("x")}).CiphertextBlob
	for _, c := range []struct {
		name, operation string
		body            object
	}{
		{"DescribeKey", "DescribeKey", object{"KeyId": symmetric}},
		{"Encrypt", "Encrypt", object{"KeyId": symmetric, "Plaintext": []byte("x")}},
		{"Decrypt", "Decrypt", object{"CiphertextBlob": sealed}},
		{"GenerateMac", "GenerateMac", object{"KeyId": mac, "Message": []byte("x"), "MacAlgorithm": "HMAC_SHA_256"}},
		{"SignECDSA", "Sign", object{"KeyId": elliptic, "Message": []byte("x"), "SigningAlgorithm": "ECDSA_SHA_256"}},
		{"SignRSA", "Sign", object{"KeyId": modular, "Message": []byte("x"), "SigningAlgorithm": "RSASSA_PSS_SHA_256"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := h.prepare(b, c.operation, c.body)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					h.must(b, r)
				}
			})
			reportRate(b)
		})
	}
}

// BenchmarkMemory imports material into every one of many keys. An iteration is one key: run it with -benchtime=100000x.
func BenchmarkMemory(b *testing.B) {
	for _, c := range []struct {
		spec, usage, algorithm string
	}{
		{"SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "RSAES_OAEP_SHA_256"},
		{"HMAC_512", "GENERATE_VERIFY_MAC", "RSAES_OAEP_SHA_256"},
		{"ECC_NIST_P256", "SIGN_VERIFY", "RSAES_OAEP_SHA_256"},
		{"RSA_4096", "SIGN_VERIFY", "RSA_AES_KEY_WRAP_SHA_256"},
	} {
		b.Run(c.spec, func(b *testing.B) {
			h := newHandler(b, localkms.Options{})
			material := newSource(b, c.spec).material
			b.ResetTimer()
			perKey := memoryOf(b.N, func(int) {
				key := h.createKey(b, c.spec, c.usage, "EXTERNAL")
				h.must(b, h.prepareImport(b, h.importParameters(b, key, c.algorithm, "RSA_2048"), key, material))
			})
			b.ReportMetric(float64(perKey), "B/key")
			runtime.KeepAlive(h)
		})
	}
}

// wrappedByMe is a blob under a key of its own.
func wrappedByMe(t testing.TB, bits int) (*rsa.PrivateKey, []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, randomBytes(t, 32), nil)
	if err != nil {
		t.Fatal(err)
	}
	return key, blob
}

// reportRate turns the time of one into how many there are in a second.
func reportRate(b *testing.B) {
	b.Helper()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
