package localkms_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// TestErrors is the facts' table of errors: each code with its occasion and, where AWS's text is recorded, that text. In
// texts ARN stands for the key's.
func TestErrors(t *testing.T) {
	faults := localkms.NewFaults()
	f := newFixture(t, func(o *localkms.Options) { o.Faults = faults })
	material := bytesOf(1, 32)
	call := func(operation string, extra object) func(*fixture, string) answer {
		return func(f *fixture, keyID string) answer {
			body := object{"KeyId": keyID}
			maps.Copy(body, extra)
			return f.call(operation, body.String())
		}
	}
	after := func(operation string, extra object, then func(*fixture, string) answer) func(*fixture, string) answer {
		return func(f *fixture, keyID string) answer {
			f.expect(call(operation, extra)(f, keyID), "", "")
			return then(f, keyID)
		}
	}
	imports := func(secret []byte, extra object) func(*fixture, string) answer {
		return func(f *fixture, keyID string) answer { return f.importMaterial(keyID, secret, extra) }
	}
	encrypt := call("Encrypt", object{"Plaintext": "AAAA"})
	fails := func(code string) func(*fixture, string) answer {
		return func(f *fixture, keyID string) answer {
			if err := faults.Set(localkms.Fault{Operation: "Encrypt", Count: 1, Code: code}); err != nil {
				f.t.Fatal(err)
			}
			return encrypt(f, keyID)
		}
	}
	const external, generated = "EXTERNAL", "AWS_KMS"
	for name, c := range map[string]struct {
		reason  string
		origin  string
		spec    string // default SYMMETRIC_DEFAULT
		act     func(f *fixture, keyID string) answer
		code    string
		message string
		status  int // default 400
	}{
		"use without material":  {reason: "recorded", origin: external, act: encrypt, code: "KMSInvalidStateException", message: "ARN is pending import."},
		"use of a disabled key": {reason: "recorded", origin: generated, act: after("DisableKey", nil, encrypt), code: "DisabledException", message: "ARN is disabled."},
		"use of a doomed key":   {reason: "the shorter of two texts", origin: generated, act: after("ScheduleKeyDeletion", nil, encrypt), code: "KMSInvalidStateException", message: "ARN is pending deletion."},
		"rotation of nothing": {reason: "recorded", origin: external, act: func(f *fixture, keyID string) answer {
			f.importMaterial(keyID, material, nil)
			return call("RotateKeyOnDemand", nil)(f, keyID)
		}, code: "KMSInvalidStateException", message: "No available key material pending rotation for the key: ARN."},
		"parameters, other":     {reason: "recorded", origin: generated, act: call("GetParametersForImport", object{"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}), code: "UnsupportedOperationException", message: "ARN origin is AWS_KMS which is not valid for this operation."},
		"import, other":         {reason: "recorded of GetParametersForImport", origin: generated, act: call("ImportKeyMaterial", object{"ImportToken": "AAAA", "EncryptedKeyMaterial": "AAAA", "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}), code: "UnsupportedOperationException", message: "ARN origin is AWS_KMS which is not valid for this operation."},
		"no date":               {reason: "recorded", origin: external, act: imports(material, object{"ExpirationModel": "KEY_MATERIAL_EXPIRES"}), code: "ValidationException", message: "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"},
		"wrapping that misfits": {reason: "public report", origin: external, act: call("GetParametersForImport", object{"WrappingAlgorithm": "RSA_AES_KEY_WRAP_SHA_256", "WrappingKeySpec": "RSA_3072"}), code: "ValidationException", message: "Wrapping algorithm RSA_AES_KEY_WRAP_SHA_256 and wrapping key spec RSA_3072 cannot be used to import a SYMMETRIC_DEFAULT key."},
		"blob of another length": {reason: "not the modulus's", origin: external, act: func(f *fixture, keyID string) answer {
			return f.call("ImportKeyMaterial", importBody(keyID, f.fresh(keyID).token, bytesOf(1, 255)).String())
		}, code: "ValidationException", message: "Invalid encrypted key size."},
		"short material": {reason: "32 bytes", origin: external, act: imports(material[:31], nil), code: "IncorrectKeyMaterialException"},
		"other material": {reason: "the associated one only", origin: external, act: func(f *fixture, keyID string) answer {
			f.importMaterial(keyID, material, nil)
			return f.importMaterial(keyID, bytesOf(2, 32), nil)
		}, code: "IncorrectKeyMaterialException"},
		"blob of garbage": {reason: "cannot be unwrapped", origin: external, act: func(f *fixture, keyID string) answer {
			return f.call("ImportKeyMaterial", importBody(keyID, f.fresh(keyID).token, bytesOf(1, 256)).String())
		}, code: "InvalidCiphertextException"},
		"token of garbage": {reason: "malformed", origin: external, act: func(f *fixture, keyID string) answer {
			return f.call("ImportKeyMaterial", importBody(keyID, bytesOf(1, 99), bytesOf(1, 256)).String())
		}, code: "InvalidImportTokenException"},
		"token a day old": {
			reason: "24 hours", origin: external, code: "ExpiredImportTokenException",
			act: func(f *fixture, keyID string) answer {
				p := f.fresh(keyID)
				f.clock.advance(24 * time.Hour)
				return f.call("ImportKeyMaterial", importBody(keyID, p.token, p.wrap(f.t, material)).String())
			},
		},
		"usage":           {reason: "recorded", origin: generated, act: call("Sign", object{"Message": "AAAA", "SigningAlgorithm": "ECDSA_SHA_256"}), code: "InvalidKeyUsageException", message: "ARN key usage is ENCRYPT_DECRYPT which is not valid for Sign."},
		"duplicate tags":  {reason: "recorded", origin: generated, act: call("TagResource", object{"Tags": []object{{"TagKey": "a", "TagValue": "b"}, {"TagKey": "a", "TagValue": "c"}}}), code: "TagException", message: "Duplicate tag keys"},
		"dry run":         {reason: "recorded", origin: generated, act: call("Encrypt", object{"Plaintext": "AAAA", "DryRun": true}), code: "DryRunOperationException", message: "The request would have succeeded, but the DryRun option is set."},
		"wrong MAC":       {reason: "no text", origin: generated, spec: "HMAC_256", act: call("VerifyMac", object{"Message": "AAAA", "MacAlgorithm": "HMAC_SHA_256", "Mac": "AAAA"}), code: "KMSInvalidMacException"},
		"wrong signature": {reason: "no text", origin: generated, spec: "ECC_NIST_P256", act: call("Verify", object{"Message": "AAAA", "SigningAlgorithm": "ECDSA_SHA_256", "Signature": "AAAA"}), code: "KMSInvalidSignatureException"},
		"ciphertext of another": {
			reason: "no text", origin: generated, code: "InvalidCiphertextException",
			act: func(f *fixture, _ string) answer { return f.call("Decrypt", `{"CiphertextBlob":"AAAA"}`) },
		},
		"unavailable":       {reason: "the server's side", origin: generated, act: fails("KeyUnavailableException"), code: "KeyUnavailableException", status: 500},
		"internal":          {reason: "the server's side", origin: generated, act: fails("KMSInternalException"), code: "KMSInternalException", status: 500},
		"dependency":        {reason: "the server's side", origin: generated, act: fails("DependencyTimeoutException"), code: "DependencyTimeoutException", status: 503},
		"unknown operation": {reason: "of the front end", origin: generated, act: call("Nothing", nil), code: "UnknownOperationException"},
		"throttled": {
			reason: "public reports", origin: generated, code: "ThrottlingException",
			message: "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
			act: func(f *fixture, keyID string) answer {
				if err := faults.Set(localkms.Fault{Operation: "DescribeKey", Rate: 0.001}); err != nil {
					f.t.Fatal(err)
				}
				defer faults.Clear("DescribeKey")
				call("DescribeKey", nil)(f, keyID)
				return call("DescribeKey", nil)(f, keyID)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			spec := c.spec
			if spec == "" {
				spec = "SYMMETRIC_DEFAULT"
			}
			keyID := f.createKey(spec, c.origin)
			a := c.act(f, keyID)
			status := c.status
			if status == 0 {
				status = 400
			}
			message := strings.ReplaceAll(c.message, "ARN", arnOf(keyID))
			if a.code != c.code || a.status != status || message != "" && a.message != message {
				t.Errorf("got  %d %s %q\nwant %d %s %q", a.status, a.code, a.message, status, c.code, message)
			}
		})
	}
}

// TestErrorsWithoutText are recorded to have no message at all.
func TestErrorsWithoutText(t *testing.T) {
	f := newFixture(t)
	macKey, signingKey := f.createKey("HMAC_256", "AWS_KMS"), f.createKey("ECC_NIST_P256", "AWS_KMS")
	for operation, body := range map[string]object{
		"Decrypt":   {"CiphertextBlob": "AAAA"},
		"VerifyMac": {"KeyId": macKey, "Message": "AAAA", "MacAlgorithm": "HMAC_SHA_256", "Mac": "AAAA"},
		"Verify":    {"KeyId": signingKey, "Message": "AAAA", "SigningAlgorithm": "ECDSA_SHA_256", "Signature": "AAAA"},
	} {
		if a := f.call(operation, body.String()); a.code == "" || strings.Contains(a.body, "essage") {
			t.Errorf("%s: %s", operation, a.body)
		}
	}
}
