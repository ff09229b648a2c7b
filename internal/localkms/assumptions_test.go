package localkms_test

import (
	"crypto"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// outcome is the code of an answer, or OK.
func (a answer) outcome() string {
	if a.code != "" {
		return a.code
	}
	return "OK"
}

// importRaw is importMaterial for either dialect.
func (f *fixture) importRaw(keyID string, material []byte, extra object) answer {
	f.t.Helper()
	a := f.call("GetParametersForImport", object{"KeyId": keyID, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}.String())
	if a.code != "" {
		return a
	}
	p := parameters{token: a.blob(f.t, "ImportToken"), publicKey: a.blob(f.t, "PublicKey"), hash: crypto.SHA256}
	body := importBody(keyID, p.token, p.wrap(f.t, material))
	maps.Copy(body, extra)
	return f.call("ImportKeyMaterial", body.String())
}

// TestAssumptions shows each reading and the other, in every dialect in which it makes a difference.
func TestAssumptions(t *testing.T) {
	material := bytesOf(1, 32)
	imported := func(f *fixture) string {
		keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
		f.expect(f.importRaw(keyID, material, nil), "", "")
		return keyID
	}
	expiring := func(f *fixture, d time.Duration) object {
		return object{"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": f.clock.Now().Add(d).Unix()}
	}
	reuse := func(f *fixture) string { // of one token
		keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
		a := f.must("GetParametersForImport", object{"KeyId": keyID, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"})
		p := parameters{token: a.blob(f.t, "ImportToken"), publicKey: a.blob(f.t, "PublicKey"), hash: crypto.SHA256}
		body := importBody(keyID, p.token, p.wrap(f.t, material)).String()
		f.expect(f.call("ImportKeyMaterial", body), "", "")
		f.must("DeleteImportedKeyMaterial", object{"KeyId": keyID})
		return f.call("ImportKeyMaterial", body).outcome()
	}
	disabled := func(f *fixture) string { // a re-import into a key that was disabled
		keyID := imported(f)
		f.must("DisableKey", object{"KeyId": keyID})
		if a := f.importRaw(keyID, material, nil); a.code != "" {
			return a.code
		}
		return f.metadata(keyID)["KeyState"].(string)
	}
	overMaterial := []localkms.Assumption{localkms.ParametersOverMaterial, localkms.ImportOverMaterial}
	for name, c := range map[localkms.Assumption]struct {
		with      []localkms.Assumption // what else it takes to see the difference, in QKMS
		act       func(f *fixture) string
		otherwise string
		assumed   string
	}{
		localkms.TokenReusable:         {act: reuse, otherwise: "InvalidImportTokenException", assumed: "OK"},
		localkms.DisabledStaysDisabled: {with: overMaterial, act: disabled, otherwise: "Enabled", assumed: "Disabled"},
		localkms.DisabledRefusesImport: {with: overMaterial, act: disabled, otherwise: "Enabled", assumed: "DisabledException"},
		localkms.LongHMAC: {
			act: func(f *fixture) string {
				keyID := f.createKey("HMAC_256", "EXTERNAL")
				long, tooLong := f.importRaw(keyID, bytesOf(1, 33), nil).outcome(), f.importRaw(f.createKey("HMAC_256", "EXTERNAL"), bytesOf(1, 129), nil).outcome()
				return long + ", " + tooLong
			},
			otherwise: "IncorrectKeyMaterialException, IncorrectKeyMaterialException", assumed: "OK, IncorrectKeyMaterialException",
		},
		localkms.UnlistedKeySpecs: {
			act: func(f *fixture) string {
				return f.call("CreateKey", object{"Origin": "EXTERNAL", "KeySpec": "ECC_NIST_EDWARDS25519", "KeyUsage": "SIGN_VERIFY"}.String()).outcome() + ", " +
					f.call("CreateKey", object{"Origin": "EXTERNAL", "KeySpec": "ML_DSA_44", "KeyUsage": "SIGN_VERIFY"}.String()).outcome()
			},
			otherwise: "UnsupportedOperationException, UnsupportedOperationException", assumed: "OK, UnsupportedOperationException",
		},
		localkms.ImportTypeUnsupportedOperation: {
			act: func(f *fixture) string {
				return f.importRaw(f.createKey("HMAC_256", "EXTERNAL"), material, object{"ImportType": "NEW_KEY_MATERIAL"}).outcome()
			},
			otherwise: "ValidationException", assumed: "UnsupportedOperationException",
		},
		localkms.ModeledStatus: {
			act: func(f *fixture) string {
				keyID := imported(f)
				f.must("DisableKey", object{"KeyId": keyID})
				return fmt.Sprint(f.call("DescribeKey", object{"KeyId": someKeyID}.String()).status, f.call("Encrypt", object{"KeyId": keyID, "Plaintext": material}.String()).status)
			},
			otherwise: "400 400", assumed: "404 409",
		},
		localkms.LongPendingDeletionText: {
			act: func(f *fixture) string {
				keyID := imported(f)
				f.must("ScheduleKeyDeletion", object{"KeyId": keyID})
				_, text, _ := strings.Cut(f.call("EnableKey", object{"KeyId": keyID}.String()).message, " ")
				return text
			},
			otherwise: "is pending deletion.", assumed: "is pending deletion (or pending replica deletion).",
		},
		localkms.TenRotations: {
			act: func(f *fixture) string {
				keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
				rotations := 0
				for f.call("RotateKeyOnDemand", object{"KeyId": keyID}.String()).code == "" {
					rotations++
				}
				return fmt.Sprint(rotations)
			},
			otherwise: "25", assumed: "10",
		},
		localkms.NoMultiRegionRotation: {
			act: func(f *fixture) string {
				keyID := f.multiRegionKey()
				f.expect(f.importMaterial(keyID, material, nil), "", "")
				f.expect(f.importMaterial(keyID, bytesOf(2, 32), newMaterial), "", "")
				return f.call("RotateKeyOnDemand", object{"KeyId": keyID}.String()).outcome()
			},
			otherwise: "OK", assumed: "UnsupportedOperationException",
		},
		localkms.ExpiryChangeNeedsDeletion: {
			act: func(f *fixture) string {
				keyID := imported(f)
				return f.importRaw(keyID, material, nil).outcome() + ", " + f.importRaw(keyID, material, expiring(f, time.Hour)).outcome()
			},
			otherwise: "OK, OK", assumed: "OK, KMSInvalidStateException",
		},
		localkms.OlderTokensStayValid: {
			act: func(f *fixture) string {
				keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
				older := f.qkmsParameters(keyID)
				f.qkmsParameters(keyID)
				return f.call("ImportKeyMaterial", importBody(keyID, older.token, older.wrap(f.t, material)).String()).outcome()
			},
			otherwise: "InvalidImportTokenException", assumed: "OK",
		},
		localkms.ParametersOverMaterial: {
			act: func(f *fixture) string {
				return f.call("GetParametersForImport", object{"KeyId": imported(f), "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}.String()).outcome()
			},
			otherwise: "KMSInvalidStateException", assumed: "OK",
		},
		localkms.ImportOverMaterial: {
			with: []localkms.Assumption{localkms.ParametersOverMaterial},
			act: func(f *fixture) string {
				keyID := imported(f)
				return f.importRaw(keyID, material, nil).outcome() + ", " + f.importRaw(keyID, bytesOf(2, 32), nil).outcome()
			},
			otherwise: "KMSInvalidStateException, KMSInvalidStateException", assumed: "OK, IncorrectKeyMaterialException",
		},
		localkms.MaterialStaysAssociated: {
			act: func(f *fixture) string {
				keyID := imported(f)
				f.must("DeleteImportedKeyMaterial", object{"KeyId": keyID})
				return f.importRaw(keyID, bytesOf(2, 32), nil).outcome()
			},
			otherwise: "OK", assumed: "IncorrectKeyMaterialException",
		},
		localkms.FractionalValidTo: {
			act: func(f *fixture) string {
				return f.importRaw(f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL"), material,
					object{"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": float64(start.Add(time.Hour).Unix()) + 0.5}).outcome()
			},
			otherwise: "SerializationException", assumed: "OK",
		},
		localkms.EpochTimestamps: {
			act: func(f *fixture) string {
				return fmt.Sprintf("%T", f.metadata(imported(f))["CreationDate"])
			},
			otherwise: "string", assumed: "float64",
		},
		localkms.QuotedEpochTimestamps: {
			act:       func(f *fixture) string { return f.metadata(imported(f))["CreationDate"].(string) },
			otherwise: "2031-03-01T05:00:00-07:00", assumed: fmt.Sprint(start.Unix()),
		},
		localkms.AWSKeyARNs: {
			act: func(f *fixture) string {
				keyID := imported(f)
				return strings.ReplaceAll(f.metadata(keyID)["Arn"].(string), keyID, "ID")
			},
			otherwise: "arn:verenc:111122223333:key/ID", assumed: "arn:aws:kms:us-east-1:111122223333:key/ID",
		},
		localkms.PlainJSON: {
			act: func(f *fixture) string {
				r := f.request("ListKeys", "{}")
				r.Header.Set("Content-Type", "application/json")
				sign(f.t, r, "{}", time.Now())
				return f.send(r).outcome()
			},
			otherwise: "UnsupportedMediaTypeException", assumed: "OK",
		},
		localkms.RotationOperations: {
			act: func(f *fixture) string {
				return f.call("ListKeyRotations", object{"KeyId": imported(f)}.String()).outcome()
			},
			otherwise: "UnknownOperationException", assumed: "OK",
		},
		localkms.TextlessIncorrectMaterial: {
			act: func(f *fixture) string {
				a := f.importRaw(f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL"), material[:31], nil)
				return fmt.Sprint(a.code, " ", a.message != "")
			},
			otherwise: "IncorrectKeyMaterialException true", assumed: "IncorrectKeyMaterialException false",
		},
		localkms.ARNAsKeyID: {
			act: func(f *fixture) string {
				metadata := f.must("CreateKey", object{}).fields["KeyMetadata"].(map[string]any)
				return fmt.Sprint(metadata["KeyId"] == metadata["Arn"])
			},
			otherwise: "false", assumed: "true",
		},
		localkms.EmptyObject: {
			act: func(f *fixture) string {
				keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
				return f.must("TagResource", object{"KeyId": keyID, "Tags": []object{}}).body
			},
			otherwise: "", assumed: "{}",
		},
	} {
		listed := slices.IndexFunc(localkms.Assumptions(), func(info localkms.AssumptionInfo) bool { return info.Assumption == name })
		if listed < 0 {
			t.Errorf("%s is not listed", name)
			continue
		}
		for _, dialect := range localkms.Assumptions()[listed].Dialects {
			t.Run(string(name)+"/"+string(dialect), func(t *testing.T) {
				var with []localkms.Assumption
				if dialect == localkms.QKMS {
					with = c.with
				}
				for want, assume := range map[string][]localkms.Assumption{c.otherwise: with, c.assumed: append(slices.Clone(with), name)} {
					f := newFixture(t, func(o *localkms.Options) { o.Dialect, o.Assume = dialect, assume })
					if got := c.act(f); got != want {
						t.Errorf("under %v: %s, want %s", assume, got, want)
					}
				}
			})
		}
	}
}

// TestAssumptionsListed is the other direction: each that is listed can be assumed, and no other.
func TestAssumptionsListed(t *testing.T) {
	seen := map[localkms.Assumption]bool{}
	for _, info := range localkms.Assumptions() {
		if seen[info.Assumption] || info.Meaning == "" || info.Otherwise == "" || len(info.Dialects) == 0 {
			t.Errorf("%+v", info)
		}
		seen[info.Assumption] = true
		if _, err := localkms.New(localkms.Options{Assume: []localkms.Assumption{info.Assumption}}); err != nil {
			t.Error(err)
		}
	}
	if len(seen) != 24 {
		t.Errorf("%d assumptions; TestAssumptions has 24", len(seen))
	}
	_, err := localkms.New(localkms.Options{Assume: []localkms.Assumption{"GoodWeather"}})
	if err == nil || err.Error() != `configure local KMS: there is no assumption "GoodWeather": localkms --help lists them` {
		t.Errorf("%v", err)
	}
}
